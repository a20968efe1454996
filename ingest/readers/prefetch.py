"""Makes the next thing in a thread while the one before it is being used, so that the event loop only moves bytes."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TypeVar

T = TypeVar("T")


async def prefetch(items: Iterator[T]) -> AsyncGenerator[T]:
    """Yield the things in order; at most two are there at a time. Close it with `aclosing`: a thread may still be at work."""
    upcoming = _start(items)
    try:
        # Shielded, because a thread cannot be cancelled: it is waited for below.
        while (thing := await asyncio.shield(upcoming)) is not None:
            upcoming = _start(items)
            yield thing
            del thing
    finally:
        await asyncio.wait([upcoming])
        if not upcoming.cancelled():
            # Whoever leaves early does not hear of it.
            upcoming.exception()


def _start(items: Iterator[T]) -> asyncio.Future[T | None]:
    return asyncio.ensure_future(asyncio.to_thread(next, items, None))
