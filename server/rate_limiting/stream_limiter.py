"""How many streams may be open: event streams and WebSockets, which stay, hold a file descriptor each, and memory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from server.http.errors import RETRY_AFTER, HttpError


class StreamLease:
    """What an open stream holds. `who` has it: the caller's name, or an address while no more is known."""

    def __init__(self, who: str) -> None:
        self.key = who


class StreamLimiter:
    """The streams of one process. `most_each` of them are one caller's at most, but for a caller without a name."""

    def __init__(self, most: int, most_each: int) -> None:
        self._max_streams = most
        self._max_per_caller = most_each
        self._open = 0
        self._by_caller: Counter[str] = Counter()

    @contextmanager
    def acquire(self, key: str) -> Iterator[StreamLease]:
        """Have a place until the end of the block. Raise BadRequest (STREAMS_EXHAUSTED, 503; TOO_MANY_STREAMS, 429)."""
        if self._open >= self._max_streams:
            message = f"All {self._max_streams:,} places for streams are taken. Try again shortly."
            raise HttpError("STREAMS_EXHAUSTED", message, status=503, headers=RETRY_AFTER)
        self._increment(key)
        self._open += 1
        place = StreamLease(key)
        try:
            yield place
        finally:
            self._open -= 1
            self._decrement(place.key)

    def transfer(self, place: StreamLease, who: str) -> None:
        """Let the place be another caller's. Raise BadRequest (TOO_MANY_STREAMS, 429); then nothing has changed."""
        if place.key != who:
            self._increment(who)
            self._decrement(place.key)
            place.key = who

    def _increment(self, who: str) -> None:
        if who and self._by_caller[who] >= self._max_per_caller:
            message = f"A caller may have {self._max_per_caller:,} streams open here: close one first."
            raise HttpError("TOO_MANY_STREAMS", message, status=429, headers=RETRY_AFTER)
        self._by_caller[who] += 1

    def _decrement(self, who: str) -> None:
        self._by_caller[who] -= 1
        if not self._by_caller[who]:
            # What strangers have left behind is not kept.
            del self._by_caller[who]
