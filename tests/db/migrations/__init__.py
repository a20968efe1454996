"""Migrations of a database that servers and workers use."""
