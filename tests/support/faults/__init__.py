"""Faults: lost connections, replicated databases, readers and uploaders under load."""
