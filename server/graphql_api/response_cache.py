"""Keeps answers to questions about shared data until the data changes. Bounded in bytes; the oldest used go first."""

import gzip
import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from resolvers.data_version import DataVersion
from telemetry.request_record import HIT, MISS, QUERY, current_record

ENTRY_OVERHEAD_BYTES = 500
"""What an entry takes beside its key and its answer."""


@dataclass(slots=True)
class CachedResponse:
    """A body of JSON, and what was noted of its operation.

    The same compressed, and the entity tag, are there once somebody has asked for them.
    """

    body: bytes
    gzipped: bytes | None = None
    etag: bytes | None = None
    operation: str | None = None
    is_registered: bool = False
    rows: int | None = None

    def compress(self) -> bytes:
        """Return the body compressed."""
        if self.gzipped is None:
            self.gzipped = gzip.compress(self.body, compresslevel=1, mtime=0)
        return self.gzipped


class ResponseCache:
    """The answers of the present version of the data, by the bytes of their requests.

    Whatever a request's answer depends on is in those bytes: document, variables and operation.
    """

    def __init__(self, version: DataVersion, max_bytes: int) -> None:
        self._version = version
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, CachedResponse] = OrderedDict()
        self._cached_version = version.name
        self.size = 0

    def get(self, request: bytes) -> CachedResponse | None:
        """Return the answer that the request has at the present version, if it is kept."""
        answer = self._get_current(request)
        if answer is None:
            return None
        self._entries.move_to_end(request)
        if (notes := current_record.get()) is not None:
            notes.kind, notes.cache = QUERY, HIT
            notes.operation, notes.is_registered, notes.rows = answer.operation, answer.is_registered, answer.rows
        return answer

    def _get_current(self, request: bytes) -> CachedResponse | None:
        if self._cached_version != self._version.name:
            self._entries.clear()
            self.size, self._cached_version = 0, self._version.name
        return self._entries.get(request) if self._cached_version else None

    def put(self, request: bytes, answer: CachedResponse, version: str) -> None:
        """Keep the answer that was made from the data when it had the version."""
        if (notes := current_record.get()) is not None:
            notes.cache = MISS
            answer.operation, answer.is_registered, answer.rows = notes.operation, notes.is_registered, notes.rows
        # Both forms of the body are counted, as the second may come to be made at any time.
        size = _size(request, answer)
        if (
            not version
            or version != self._version.name
            or version != self._cached_version
            or size > self._max_bytes // 4
        ):
            return
        if request not in self._entries:
            self.size += size
        self._entries[request] = answer
        while self.size > self._max_bytes:
            oldest, gone = self._entries.popitem(last=False)
            self.size -= _size(oldest, gone)

    def etag(self, request: bytes) -> bytes | None:
        """Return the entity tag that the request's answer has at the present version, or None while none is known."""
        answer = self._get_current(request)
        if answer is not None and answer.etag is not None:
            return answer.etag
        if not self._version.name:
            return None
        digest = hashlib.blake2b(self._version.name.encode() + b"\0" + request, digest_size=12)
        tag = f'W/"{digest.hexdigest()}"'.encode()
        if answer is not None:
            answer.etag = tag
        return tag


def _size(request: bytes, answer: CachedResponse) -> int:
    return len(request) + 2 * len(answer.body) + ENTRY_OVERHEAD_BYTES
