"""Parsing and validation of new documents next to other requests.

The worst document within the limits needs 0.2 s: validation compares each field with every other of the same name, and each
fragment with every other. Short documents are parsed on the event loop, which is faster, and longer ones in a thread.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from graphql import GraphQLError

from graph.admission import Turnstile
from graph.execution.document_cache import Document, DocumentCache

MAX_CHARS_ON_LOOP = 400
"""Characters of a document that needs at most 10 ms."""


class DocumentParser:
    """Reader of documents through their cache, which parses one new document at a time."""

    def __init__(self, cache: DocumentCache) -> None:
        self._cache = cache
        self._turnstile = Turnstile()
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        # A single thread, because parsers hold the lock of the interpreter.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="parser")

    async def get(self, text: str) -> Document | list[GraphQLError]:
        """Return the document, or its errors.

        Only one short document is parsed in an iteration of the event loop.
        """
        cached = self._cache.find(text)
        if cached is not None:
            return cached
        if len(text) <= MAX_CHARS_ON_LOOP or len(text) > self._cache.max_length:
            await self._turnstile.wait()
            return self._cache.get(text)
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A lock for which tasks of a closed loop have waited cannot be used in another one.
            self._loop, self._lock = loop, asyncio.Lock()
        async with self._lock:
            # Another request may have sent the same document.
            cached = self._cache.find(text)
            if cached is not None:
                return cached
            parsed = await loop.run_in_executor(self._thread, self._cache.parse, text)
            return self._cache.store(text, parsed)
