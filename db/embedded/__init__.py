"""Embedded PostgreSQL: a real server from a wheel, supervised, with its data in one folder."""
