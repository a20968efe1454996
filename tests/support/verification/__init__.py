"""Helpers for tests of the verification."""
