"""Makes the next thing in a thread while the one before it is being used, so that the event loop only moves bytes."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TypeVar

T = TypeVar("T")


async def make_ahead(things: Iterator[T]) -> AsyncGenerator[T]:
    """Yield the things in order; at most two are there at a time. Close it with `aclosing`: a thread may still be at work."""
    upcoming = _start(things)
    try:
        # Shielded, because a thread cannot be cancelled: it is waited for below.
        while (thing := await asyncio.shield(upcoming)) is not None:
            upcoming = _start(things)
            yield thing
            del thing
    finally:
        await asyncio.wait([upcoming])
        if not upcoming.cancelled():
            # Whoever leaves early does not hear of it.
            upcoming.exception()


def _start(things: Iterator[T]) -> asyncio.Future[T | None]:
    return asyncio.ensure_future(asyncio.to_thread(next, things, None))
