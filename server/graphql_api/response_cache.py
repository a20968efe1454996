"""In-memory LRU cache of query responses, bounded in bytes and invalidated by data changes."""

import gzip
import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from resolvers.data_version import DataVersion
from telemetry.request_record import HIT, MISS, QUERY, current_record

ENTRY_OVERHEAD_BYTES = 500
"""Memory of an entry in addition to its key and its bodies."""

CacheKey = tuple[str, bytes]
"""Method, and the bytes that it sends the request in: the query string of GET, the body of POST.

The method separates the two. The same bytes can be a query string and a body, with different meanings.
"""


@dataclass(slots=True)
class CachedResponse:
    """JSON body with the record of its operation.

    The gzip form and the ETag are computed on first use.
    """

    body: bytes
    gzipped: bytes | None = None
    etag: bytes | None = None
    operation: str | None = None
    is_registered: bool = False
    rows: int | None = None

    def compress(self) -> bytes:
        """Return the body compressed with gzip."""
        if self.gzipped is None:
            self.gzipped = gzip.compress(self.body, compresslevel=1, mtime=0)
        return self.gzipped


class ResponseCache:
    """LRU cache of responses at the current data version.

    The key is the method and the bytes of the request. Only shared responses are cached: all callers with the read scope
    receive the same one. It depends only on the document, the variables and the operation name, which the bytes contain.
    """

    def __init__(self, version: DataVersion, max_bytes: int) -> None:
        self._version = version
        self._max_bytes = max_bytes
        self._entries: OrderedDict[CacheKey, CachedResponse] = OrderedDict()
        self._cached_version = version.name
        self.size = 0

    def get(self, request: CacheKey) -> CachedResponse | None:
        """Return the cached response at the current version, and record the hit."""
        response = self._get_current(request)
        if response is None:
            return None
        self._entries.move_to_end(request)
        if (record := current_record.get()) is not None:
            record.kind, record.cache = QUERY, HIT
            record.operation, record.is_registered, record.rows = (
                response.operation,
                response.is_registered,
                response.rows,
            )
        return response

    def _get_current(self, request: CacheKey) -> CachedResponse | None:
        if self._cached_version != self._version.name:
            self._entries.clear()
            self.size, self._cached_version = 0, self._version.name
        return self._entries.get(request) if self._cached_version else None

    def put(self, request: CacheKey, response: CachedResponse, version: str) -> None:
        """Cache the response computed at `version`, unless it is outdated or too large."""
        if (record := current_record.get()) is not None:
            record.cache = MISS
            response.operation, response.is_registered, response.rows = (
                record.operation,
                record.is_registered,
                record.rows,
            )
        size = _size(request, response)
        if (
            not version
            or version != self._version.name
            or version != self._cached_version
            or size > self._max_bytes // 4
        ):
            return
        if request not in self._entries:
            self.size += size
        self._entries[request] = response
        while self.size > self._max_bytes:
            oldest, evicted = self._entries.popitem(last=False)
            self.size -= _size(oldest, evicted)

    def etag(self, request: CacheKey) -> bytes | None:
        """Return the ETag of the request at the current data version, or None if that is unknown."""
        response = self._get_current(request)
        if response is not None and response.etag is not None:
            return response.etag
        if not self._version.name:
            return None
        method, content = request
        digest = hashlib.blake2b(b"\0".join((self._version.name.encode(), method.encode(), content)), digest_size=12)
        etag = f'W/"{digest.hexdigest()}"'.encode()
        if response is not None:
            response.etag = etag
        return etag


def _size(request: CacheKey, response: CachedResponse) -> int:
    """Return the memory of an entry. The gzip form counts, as it may be added at any time."""
    return len(request[1]) + 2 * len(response.body) + ENTRY_OVERHEAD_BYTES
