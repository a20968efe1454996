"""The `ratesgraph` command line."""
