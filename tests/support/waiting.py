"""Polling for a condition that another thread or process brings about."""

import time
from collections.abc import Callable

TIMEOUT_SECONDS = 20
POLL_SECONDS = 0.01


def eventually(condition: Callable[[], object], message: str, seconds: float = TIMEOUT_SECONDS) -> float:
    """Poll until the condition holds, or fail after the timeout; return the elapsed seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + seconds, message
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started
