"""Reasons why a database cannot be used, in words that say what to do."""
