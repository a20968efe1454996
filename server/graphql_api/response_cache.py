"""Keeps answers to questions about shared data until the data changes. Bounded in bytes; the oldest used go first."""

import gzip
import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from resolvers.data_version import DataVersion
from telemetry.request_record import HIT, MISS, QUERY, current

OVERHEAD_BYTES = 500
"""What an entry takes beside its key and its answer."""


@dataclass(slots=True)
class Answer:
    """A body of JSON, and what was noted of its operation.

    The same compressed, and the entity tag, are there once somebody has asked for them.
    """

    body: bytes
    gzipped: bytes | None = None
    tag: bytes | None = None
    operation: str | None = None
    is_registered: bool = False
    rows: int | None = None

    def compress(self) -> bytes:
        """Return the body compressed."""
        if self.gzipped is None:
            self.gzipped = gzip.compress(self.body, compresslevel=1, mtime=0)
        return self.gzipped


class Answers:
    """The answers of the present version of the data, by the bytes of their requests.

    Whatever a request's answer depends on is in those bytes: document, variables and operation.
    """

    def __init__(self, version: DataVersion, max_bytes: int) -> None:
        self._version = version
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Answer] = OrderedDict()
        self._of = version.name
        self.size = 0

    def find(self, request: bytes) -> Answer | None:
        """Return the answer that the request has at the present version, if it is kept."""
        answer = self._look(request)
        if answer is None:
            return None
        self._kept.move_to_end(request)
        if (notes := current.get()) is not None:
            notes.kind, notes.cache = QUERY, HIT
            notes.operation, notes.is_registered, notes.rows = answer.operation, answer.is_registered, answer.rows
        return answer

    def _look(self, request: bytes) -> Answer | None:
        if self._of != self._version.name:
            self._kept.clear()
            self.size, self._of = 0, self._version.name
        return self._kept.get(request) if self._of else None

    def keep(self, request: bytes, answer: Answer, version: str) -> None:
        """Keep the answer that was made from the data when it had the version."""
        if (notes := current.get()) is not None:
            notes.cache = MISS
            answer.operation, answer.is_registered, answer.rows = notes.operation, notes.is_registered, notes.rows
        # Both forms of the body are counted, as the second may come to be made at any time.
        size = _size(request, answer)
        if not version or version != self._version.name or version != self._of or size > self._max_bytes // 4:
            return
        if request not in self._kept:
            self.size += size
        self._kept[request] = answer
        while self.size > self._max_bytes:
            oldest, gone = self._kept.popitem(last=False)
            self.size -= _size(oldest, gone)

    def name(self, request: bytes) -> bytes | None:
        """Return the entity tag that the request's answer has at the present version, or None while none is known."""
        answer = self._look(request)
        if answer is not None and answer.tag is not None:
            return answer.tag
        if not self._version.name:
            return None
        digest = hashlib.blake2b(self._version.name.encode() + b"\0" + request, digest_size=12)
        tag = f'W/"{digest.hexdigest()}"'.encode()
        if answer is not None:
            answer.tag = tag
        return tag


def _size(request: bytes, answer: Answer) -> int:
    return len(request) + 2 * len(answer.body) + OVERHEAD_BYTES
