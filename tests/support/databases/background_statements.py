"""Statements that a process sends at any time, whatever it serves."""

BACKGROUND = (b"SHOW transaction_read_only", b"LISTEN ", b"api_tokens")
"""Checks of connections once a second, and the tokens in use."""


def is_background(statement: bytes) -> bool:
    """Return whether the statement belongs to no request, so that a test must not count it."""
    return any(text in statement for text in BACKGROUND)
