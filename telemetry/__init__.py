"""Spans and the per-request record, filled in by all layers. Standard library only."""
