"""Prefetch iterator: produces the next item in a thread while the current one is processed.

The event loop only moves bytes.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TypeVar

T = TypeVar("T")


async def prefetch(items: Iterator[T]) -> AsyncGenerator[T]:
    """Yield the items in order, with at most two in memory.

    Close the generator with `aclosing`: a thread may still be running.
    """
    upcoming = _start(items)
    try:
        # A thread cannot be cancelled, so the wait is shielded and the thread awaited below.
        while (item := await asyncio.shield(upcoming)) is not None:
            upcoming = _start(items)
            yield item
            del item
    finally:
        await asyncio.wait([upcoming])
        if not upcoming.cancelled():
            # Mark the exception as retrieved: a consumer that stops early does not receive it.
            upcoming.exception()


def _start(items: Iterator[T]) -> asyncio.Future[T | None]:
    return asyncio.ensure_future(asyncio.to_thread(next, items, None))
