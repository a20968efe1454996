"""Access log, log configuration, metrics, traces and redaction."""
