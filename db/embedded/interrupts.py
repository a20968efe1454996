"""Guard against Ctrl-C for work that must not be left half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ignored_interrupts() -> Iterator[None]:
    """Ignore SIGINT for the block.

    Only the main thread can do so; in another one, to which Python delivers no signal, this has no effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        # None is a handler that was not installed by Python.
        signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
