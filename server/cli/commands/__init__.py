"""The subcommands of `ratesgraph`, a module for each noun."""
