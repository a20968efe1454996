"""Subcommands of `ratesgraph`, one module per noun."""
