"""Effect of Ctrl-C on work that must not be left half done and on commands."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def raise_interrupts() -> None:
    """Raise KeyboardInterrupt on SIGINT, if until now it ended the process at once."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
