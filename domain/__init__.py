"""Immutable domain values, shared by all packages.

Standard library only: no SQL, no GraphQL.
"""
