"""Relay specifications: cursor connections."""
