"""Bodies of text files that are sent while they are produced, with gzip on request."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator

GZIP_LEVEL = 1
"""Level of zlib: a seventh of the bytes of a price file, at 13 ms per megabyte."""
GZIP_WINDOW = 31
"""`wbits` of zlib for a stream with the header of gzip."""


def gzip_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks as one gzip stream."""
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WINDOW)
    for chunk in chunks:
        if compressed := compressor.compress(chunk):
            yield compressed
    yield compressor.flush()


async def iterate_in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks of an iterator that blocks: each is produced in a thread."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
