"""Immutable domain values that every package may pass around. Standard library only: no SQL, no GraphQL."""
