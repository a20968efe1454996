"""Contexts of resolvers: one per process with shared resources, and one per request."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO

from db.embedded.disk_space import DiskSpace
from db.notifications import Notifications
from db.pool import Pool
from db.replicas.gated_server import GatedServer
from db.replicas.replica import Replica
from db.replicas.router import ReadRouter, Reads
from db.repositories.previews import Preview
from db.shards.router import ShardRouter
from domain.batch_size import DEFAULT_LIMITS, BatchLimits
from domain.batches import BatchStatus, FileFormat, OnError, PriceBatch, Rejection
from domain.locations import Location, TreeChange, TreeEntry
from domain.prices import DayTotals
from resolvers.caller import Caller
from resolvers.data_version import DataVersion
from resolvers.errors import RequestError
from resolvers.loading.day_totals import DayTotalsLoader, LaneDays
from resolvers.loading.lane_prices import ReadArchive
from resolvers.loading.location_suggestions import LocationSuggestions
from resolvers.loading.request_loaders import Loaders
from resolvers.price_changes import PriceChanges

MAX_NAMES_WITH_SUGGESTIONS = 20
"""Unknown names of one request for which similar locations are searched: 4 ms each among ten thousand locations."""
PreviewUpload = Callable[[BinaryIO, FileFormat, OnError], Awaitable[Preview]]
"""Dry-runs a price file in one of the payload formats."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request, from the server's settings."""

    max_days: int = 3_660
    max_items: int = 100_000
    max_page_size: int = 500
    max_wait_ms: int = 30_000
    max_statistics_prices: int = 3_000_000
    max_exact_prices: int = 20_000
    execution_seconds: float = 15
    batch: BatchLimits = DEFAULT_LIMITS


@dataclass(slots=True)
class AppContext:
    """Context that all requests of a process share.

    Attributes:
        pool: Connections to the primary.
        reads: Where prices and locations are read: at the replicas, or at the primary.
        totals, primary_totals: Sums and counts by day from there or from `shards`, and from the primary.
        revert_batch, change_tree, preview_upload, read_archive: Functions of the ingest engine, injected so that resolvers do
            not import it.
            The first two also accept the name of the caller for the audit trail. `change_tree` returns a Rejection for a change
            that would make the tree invalid.
        file_upload_semaphore: Limits the requests that store a file at the same time.
        disk_space: Guard of the disk with the data, or None if the database is not the embedded one.
        shards: Router of lanes to the workers of a Citus cluster, if enabled.
        version: Identifies the state of the data.
        suggestions: Similar locations for unknown names.
        location_id_cache: IDs of locations by key in lower case. IDs never change, and locations are never deleted.
    """

    pool: Pool
    reads: Reads
    totals: DayTotalsLoader
    primary_totals: DayTotalsLoader
    limits: Limits
    notifications: Notifications
    price_changes: PriceChanges
    revert_batch: Callable[[int, str], Awaitable[BatchStatus | None]]
    change_tree: Callable[[Sequence[TreeEntry], str], Awaitable[TreeChange | Rejection]]
    preview_upload: PreviewUpload
    read_archive: ReadArchive
    file_upload_semaphore: asyncio.Semaphore
    disk_space: DiskSpace | None = None
    shards: ShardRouter | None = None
    version: DataVersion = field(default_factory=DataVersion)
    schema_is_open: bool = True
    suggestions: LocationSuggestions = field(default_factory=LocationSuggestions)
    location_id_cache: dict[str, int] = field(default_factory=dict)

    @property
    def replicas(self) -> Sequence[Replica]:
        """Return the read replicas, in the order of the setting."""
        return self.reads.replicas if isinstance(self.reads, ReadRouter) else ()

    @property
    def gated_servers(self) -> Sequence[GatedServer]:
        """Return the servers that answer reads while they have the current data."""
        return [*self.replicas, *(() if self.shards is None else self.shards.workers)]


class ResultSlot:
    """Slot of one operation for a result that is computed, encoded or unread.

    The operations of a connection share a number of slots.
    """

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._is_held = False

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        self._is_held = True

    async def __aexit__(self, *_: object) -> None:
        if self._is_held:
            self._is_held = False
            self._slots.release()

    @asynccontextmanager
    async def released(self) -> AsyncGenerator[None, None]:
        """Free the slot while the block waits.

        If the block fails, the operation ends without the slot.
        """
        await self.__aexit__()
        yield
        await self.__aenter__()


current_result_slot: ContextVar[ResultSlot | None] = ContextVar("current_result_slot", default=None)
"""Slot of the operation of this task, or None if its transport limits the results in another way."""


class RequestContext:
    """Context of one request: its caller, its loaders, and the shared context of the process."""

    reads_primary = False
    """Whether all reads go to the primary: those of a mutation, and of a request for data that this process may lack."""
    _is_admitted = False
    _charged_prices = 0
    _suggestion_count = 0
    used_aliases: Mapping[str, str] | None = None
    """Keys of the locations that the request names in another way, by that name; None if it does not."""

    def __init__(self, shared: AppContext, caller: Caller) -> None:
        self.app = shared
        self.caller = caller
        self.statistics_fields: frozenset[int] | None = None
        """`id()` of each syntax node that selects price statistics, set by the executor; None: unknown."""

    def note_alias(self, alias: str, key: str) -> None:
        """Record that the request names the location with this key in another way."""
        self.used_aliases = {**(self.used_aliases or {}), alias: key}

    async def load_totals(self, lanes: Sequence[LaneDays]) -> list[DayTotals]:
        """Return the totals of the lanes. Raise ServerBusy when the queue of lanes is full.

        Only the first call of a request can be refused for a full queue. The executor makes one call per field, and the fast
        path one call for all fields, so this gives both the same result.
        """
        totals = self.app.primary_totals if self.reads_primary else self.app.totals
        if not self._is_admitted:
            totals.check_capacity()
            self._is_admitted = True
        return await totals.load_many(lanes)

    def charge_prices(self, count: int) -> None:
        """Count daily prices that the request is about to read one by one.

        Raise RequestError (TOO_MANY_PRICES).
        """
        maximum = self.app.limits.max_statistics_prices
        self._charged_prices += count
        if self._charged_prices > maximum:
            raise RequestError(
                "TOO_MANY_PRICES",
                f"The statistics of this request need {self._charged_prices:,} prices, limit {maximum:,};"
                " request fewer days, fewer lanes or smaller regions, or only averages.",
                prices=self._charged_prices,
                maxPrices=maximum,
            )

    def may_suggest(self) -> bool:
        """Count another unknown name; return whether similar ones may be searched for it."""
        self._suggestion_count += 1
        return self._suggestion_count <= MAX_NAMES_WITH_SUGGESTIONS

    @cached_property
    def found_nodes(self) -> dict[str, asyncio.Task[Location | PriceBatch | RequestError | None]]:
        """Lookups of global IDs by the ID, which fields with the same IDs share."""
        return {}

    @cached_property
    def loaders(self) -> Loaders:
        """Data loaders of the request. Few requests need them, so they are created at first use."""
        return Loaders(self.reads, self.app.pool, self.app.read_archive)

    @property
    def reads(self) -> Reads:
        """Return where the request reads prices and locations."""
        return self.app.pool if self.reads_primary else self.app.reads
