"""Readers of binary formats that run in a subprocess with limits."""
