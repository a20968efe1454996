"""Polling for a condition that another thread or process brings about."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 120
"""Time for anything that a test waits for, on a machine that does many other things."""
POLL_SECONDS = 0.01


def eventually(condition: Callable[[], object], message: str, seconds: float = DEADLINE_SECONDS) -> float:
    """Poll until the condition holds, or fail after the timeout; return the elapsed seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + seconds, message
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started
