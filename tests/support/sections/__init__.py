"""Runs of every SQL section."""
