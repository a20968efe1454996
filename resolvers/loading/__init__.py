"""Data loaders: per request, and coalesced across the requests of a process."""
