"""Embedded PostgreSQL: starts, crashes, users and stale files, with real processes."""
