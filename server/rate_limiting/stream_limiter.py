"""How many streams may be open: event streams and WebSockets, which stay, hold a file descriptor each, and memory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from server.http.errors import RETRY_AFTER, BadRequest


class Place:
    """What an open stream holds. `who` has it: the caller's name, or an address while no more is known."""

    def __init__(self, who: str) -> None:
        self.who = who


class Places:
    """The streams of one process. `most_each` of them are one caller's at most, but for a caller without a name."""

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._taken = 0
        self._by_caller: Counter[str] = Counter()

    @contextmanager
    def take(self, who: str) -> Iterator[Place]:
        """Have a place until the end of the block. Raise BadRequest (STREAMS_EXHAUSTED, 503; TOO_MANY_STREAMS, 429)."""
        if self._taken >= self._most:
            message = f"All {self._most:,} places for streams are taken. Try again shortly."
            raise BadRequest("STREAMS_EXHAUSTED", message, status=503, headers=RETRY_AFTER)
        self._enter(who)
        self._taken += 1
        place = Place(who)
        try:
            yield place
        finally:
            self._taken -= 1
            self._leave(place.who)

    def hand_over(self, place: Place, who: str) -> None:
        """Let the place be another caller's. Raise BadRequest (TOO_MANY_STREAMS, 429); then nothing has changed."""
        if place.who != who:
            self._enter(who)
            self._leave(place.who)
            place.who = who

    def _enter(self, who: str) -> None:
        if who and self._by_caller[who] >= self._most_each:
            message = f"A caller may have {self._most_each:,} streams open here: close one first."
            raise BadRequest("TOO_MANY_STREAMS", message, status=429, headers=RETRY_AFTER)
        self._by_caller[who] += 1

    def _leave(self, who: str) -> None:
        self._by_caller[who] -= 1
        if not self._by_caller[who]:
            # What strangers have left behind is not kept.
            del self._by_caller[who]
