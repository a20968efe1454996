"""Shared responses: one computation for all servers that have the same version of the data.

Only responses of the response cache are shared, which are the same for all callers with the read scope. The key names
everything that a response depends on: the database, the version of the data, the release with its schema and limits, and the
document with its variables and operation name.
"""

import asyncio
import contextlib
import hashlib
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import orjson

from db.errors import DatabaseError
from db.pool import Pool
from db.repositories.versions import locate_position
from graph.execution.executable_schema import Schema
from graph.execution.shared_cost import estimate_shared
from resolvers.caller import Caller
from resolvers.data_version import DataVersion
from server.graphql_api.response_cache import CachedResponse
from server.http.request_params import Parameters

MIN_COST = 1_000
"""Estimated cost from which a response is shared: 3 ms of work and more. Asking the store takes 0.1 ms, storing 0.2 ms."""
MAX_BYTES = 4_000_000
"""Length of a body above which it is not shared."""
MAX_BYTES_ON_LOOP = 200_000
WAIT_SECONDS = 5.0
"""How long a request waits for others that compute its response."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.005, 0.05
GZIP_WINDOW = 31
Outcome = tuple[int, CachedResponse, bool]
"""Status, response, and whether it may be shared."""


CLAIM = b"?"
"""Value of a key whose response another process computes."""


class StoreUnavailable(Exception):
    """The store does not answer, or has not answered a moment ago."""


class Store(Protocol):
    """Responses by key, and claims of the processes that compute them.

    Calls raise StoreUnavailable.

    Attributes:
        errors: Calls that failed since the last time that they were counted.
    """

    errors: int

    async def find_or_claim(self, key: str) -> bytes | None:
        """Return the stored value, or None if the caller has now claimed the key.

        The value is CLAIM while another process computes the response.
        """

    async def put(self, key: str, value: bytes) -> None:
        """Store a response in place of the claim."""

    async def release(self, key: str) -> None:
        """Withdraw the claim: there is no response to store."""


class SharedResponses:
    """Responses that servers share through a store.

    `release` names what else the responses depend on: the schema and its limits.
    """

    def __init__(self, store: Store, pool: Pool, version: DataVersion, release: str) -> None:
        self._store = store
        self._pool = pool
        self._version = version
        self._release = release.encode()
        self._hits = self._misses = 0
        self._database: tuple[int, str] | None = None
        self._in_flight: dict[str, asyncio.Event] = {}

    def take_counts(self) -> Mapping[str, int]:
        """Return the number of hits, misses and errors since the last time."""
        counts = {"hit": self._hits, "miss": self._misses, "error": self._store.errors}
        self._hits = self._misses = self._store.errors = 0
        return counts

    async def accepts(self, schema: Schema, document: str, parameters: Parameters, caller: Caller) -> bool:
        """Return whether the response may be shared, and is dear enough."""
        cost = await estimate_shared(schema, document, parameters.variables, parameters.operation_name, caller)
        return cost >= MIN_COST

    async def compute_once(
        self, document: str, parameters: Parameters, compute: Callable[[], Awaitable[Outcome]]
    ) -> Outcome:
        """Return the shared response, or compute and store it.

        While another request computes it, in this process or in another one, this one waits.
        """
        version, epoch = self._version.name, self._version.epoch
        key = await self._create_key(version, epoch, document, parameters)
        if key is None:
            return await compute()
        deadline = time.monotonic() + WAIT_SECONDS
        while (flight := self._in_flight.get(key)) is not None and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline - time.monotonic()):
                    await flight.wait()
        if flight is not None:
            return await compute()
        flight = self._in_flight[key] = asyncio.Event()
        try:
            return await self._find_or_compute(key, deadline, version, epoch, compute)
        finally:
            del self._in_flight[key]
            flight.set()

    async def _find_or_compute(
        self, key: str, deadline: float, version: str, epoch: int, compute: Callable[[], Awaitable[Outcome]]
    ) -> Outcome:
        is_available, found = True, None
        try:
            found = await self._wait_for_response(key, deadline)
        except StoreUnavailable:
            is_available = False
        if not is_available:
            return await compute()
        if found is not None:
            self._hits += 1
            return 200, found, True
        self._misses += 1
        stored = False
        try:
            outcome = await compute()
            status, response, is_shared = outcome
            # Whoever finds it at this version may rely on it: it must have been read at this version as a whole.
            is_current = self._version.name == version and self._version.epoch == epoch
            if status == 200 and is_shared and is_current and len(response.body) <= MAX_BYTES:
                await self._put(key, response)
                stored = True
        finally:
            if not stored:
                with contextlib.suppress(StoreUnavailable):
                    await self._store.release(key)
        return outcome

    async def _wait_for_response(self, key: str, deadline: float) -> CachedResponse | None:
        """Return the stored response, or None if this process shall compute it."""
        pause = FIRST_PAUSE_SECONDS
        while (found := await self._store.find_or_claim(key)) == CLAIM and time.monotonic() < deadline:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return None if found is None or found == CLAIM else await _decode(found)

    async def _put(self, key: str, response: CachedResponse) -> None:
        is_long = len(response.body) > MAX_BYTES_ON_LOOP
        body = await asyncio.to_thread(response.compress) if is_long else response.compress()
        with contextlib.suppress(StoreUnavailable):
            await self._store.put(key, body)

    async def _create_key(self, version: str, epoch: int, document: str, parameters: Parameters) -> str | None:
        """Return the key at the current version, or None for one that only this process knows."""
        # Names with `+` contain changes that are not announced yet.
        if not version or "+" in version or (database := await self._name_database(epoch)) is None:
            return None
        variables = orjson.dumps(parameters.variables, option=orjson.OPT_SORT_KEYS)
        operation = orjson.dumps(parameters.operation_name)
        parts = (database.encode(), version.encode(), self._release, document.encode(), variables, operation)
        digest = hashlib.blake2b(digest_size=24)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return f"ratesgraph:{digest.hexdigest()}"

    async def _name_database(self, epoch: int) -> str | None:
        """Return the cluster, its timeline and the tables, queried once in each epoch.

        After a failover or a recovery the numbers of transactions, which name versions, may occur a second time. A new
        timeline separates them.
        """
        if self._database is None or self._database[0] != epoch:
            try:
                position = await self._pool.try_read(locate_position)
            except DatabaseError:
                return None
            self._database = (epoch, f"{position.system}/{position.timeline}/{position.tables}")
        return self._database[1] if self._version.epoch == epoch else None


async def _decode(value: bytes) -> CachedResponse | None:
    """Return the stored response, or None for anything else."""
    if len(value) > MAX_BYTES_ON_LOOP:
        return await asyncio.to_thread(_decompress, value)
    return _decompress(value)


def _decompress(value: bytes) -> CachedResponse | None:
    decoder = zlib.decompressobj(GZIP_WINDOW)
    try:
        body = decoder.decompress(value, MAX_BYTES)
    except zlib.error:
        return None
    return CachedResponse(body, gzipped=value) if decoder.eof else None
