"""Spans and the per-request record: what layers report while a request is processed. Standard library only."""
