"""Admission of large JSON bodies and WebSocket messages, bounded by their total length.

A body occupies some nine times its length in memory while it is processed. Only callers with the upload scope may send large
ones. Files are spooled to disk instead (`server.http.multipart`).
"""

import asyncio
from collections.abc import Mapping

from graph.admission import CostBudget, Turnstile
from server.http.errors import RETRY_AFTER, HttpError

MIN_LARGE_BYTES = 100_000
"""Length from which bodies are counted. Callers without the upload scope cannot send as much by default."""
CONCURRENT_BODIES = 2
"""Maximum total length of the large bodies that are received and processed, in multiples of the maximum body."""
MAX_WAIT_SECONDS = 10.0
"""Maximum time that a request waits for room; it is shorter than the timeouts of clients."""


class LargeBodies:
    """Budget of the bytes of large bodies in one process, and the turn of each to be parsed.

    Waiting requests are admitted in the order of their arrival. Their bodies stay in the network.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._total = CONCURRENT_BODIES * max_body_bytes
        self._budget = CostBudget(self._total)
        self._turnstile = Turnstile()

    def expected_size(self, headers: Mapping[bytes, bytes]) -> int:
        """Return the length of the body that these headers announce, or the maximum if they do not."""
        length = headers.get(b"content-length", b"0")
        is_known = b"transfer-encoding" not in headers and length.isdigit()
        return int(length) if is_known else self._max_body_bytes

    async def reserve(self, size: int) -> int:
        """Reserve room for a body or message, and return the bytes to release: 0 for a small one.

        Raise HttpError (SERVER_BUSY).
        """
        if size < MIN_LARGE_BYTES:
            return 0
        size = min(size, self._total)
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await self._budget.acquire(size)
        except TimeoutError:
            message = (
                "The server is busy: too many large requests are in progress. Try again shortly, or upload a file."
            )
            raise HttpError("SERVER_BUSY", message, status=503, headers=RETRY_AFTER) from None
        return size

    def release(self, size: int) -> None:
        """Release the room of a request that has ended."""
        self._budget.release(size)

    async def wait_for_turn(self) -> None:
        """Wait for an iteration of the event loop in which no other large body is parsed."""
        await self._turnstile.wait()
