"""Streams in PostgreSQL's binary COPY format.

Format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

import asyncio
from collections.abc import AsyncIterator, Iterable

import numpy as np
import numpy.typing as npt

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
CHUNK_BYTES = 1 << 18
POSTGRES_EPOCH = 10_957
"""2000-01-01, PostgreSQL's day 0, in days since 1970-01-01."""


async def copy_stream(parts: Iterable[npt.NDArray[np.generic]]) -> AsyncIterator[bytes]:
    """Yield the rows as one binary COPY stream.

    The chunks are small enough not to block the event loop. Each part is encoded in a thread while the one before it is sent.
    """
    yield HEADER
    remaining = iter(parts)
    part = await asyncio.to_thread(next, remaining, None)
    while part is not None:
        upcoming = asyncio.ensure_future(asyncio.to_thread(next, remaining, None))
        data = memoryview(part.view(np.uint8).data)
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES].tobytes()
        part = await upcoming
    yield TRAILER
