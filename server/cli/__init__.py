"""Command line of `ratesgraph`."""
