"""Access log, log configuration, metrics and traces."""
