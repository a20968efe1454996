"""Concurrency limits for event streams, WebSockets and downloads.

Streams are long-lived: each one holds a file descriptor and memory or disk space.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from server.http.errors import RETRY_AFTER, HttpError


class StreamLease:
    """Slot of an open stream.

    The `key` that counts it is the caller's name, or the client address before authentication.
    """

    def __init__(self, key: str) -> None:
        self.key = key


class StreamLimiter:
    """Limiter of the open streams of one process, in total and per caller.

    An empty key has no limit per caller.
    """

    def __init__(self, max_streams: int, max_per_caller: int) -> None:
        self._max_streams = max_streams
        self._max_per_caller = max_per_caller
        self._open = 0
        self._by_caller: Counter[str] = Counter()

    @contextmanager
    def acquire(self, key: str) -> Iterator[StreamLease]:
        """Hold a stream lease for the duration of the block.

        Raise HttpError (STREAMS_EXHAUSTED, 503; TOO_MANY_STREAMS, 429).
        """
        if self._open >= self._max_streams:
            message = f"Too many open streams on this server (limit {self._max_streams:,}). Try again shortly."
            raise HttpError("STREAMS_EXHAUSTED", message, status=503, headers=RETRY_AFTER)
        self._increment(key)
        self._open += 1
        lease = StreamLease(key)
        try:
            yield lease
        finally:
            self._open -= 1
            self._decrement(lease.key)

    def transfer(self, lease: StreamLease, key: str) -> None:
        """Transfer the lease to another caller.

        Raise HttpError (TOO_MANY_STREAMS, 429). The lease then remains with its owner.
        """
        if lease.key != key:
            self._increment(key)
            self._decrement(lease.key)
            lease.key = key

    def _increment(self, key: str) -> None:
        if key and self._by_caller[key] >= self._max_per_caller:
            message = f"Too many open streams for this caller (limit {self._max_per_caller:,}); close one first."
            raise HttpError("TOO_MANY_STREAMS", message, status=429, headers=RETRY_AFTER)
        self._by_caller[key] += 1

    def _decrement(self, key: str) -> None:
        self._by_caller[key] -= 1
        if not self._by_caller[key]:
            # Drop zero counters so that the map does not grow with anonymous clients.
            del self._by_caller[key]
