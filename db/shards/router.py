"""Router of lanes: each to the Citus worker that stores it, otherwise to the coordinator."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import NamedTuple, TypeVar

from db.administration import shards
from db.administration.shards import Layout, Node
from db.background import background_task
from db.connection import Connection
from db.errors import DatabaseError, MigrationNeeded, describe_for_operator
from db.pool import API, Pool, open_pool
from db.replicas.gated_server import GateSettings, GateState
from db.replicas.router import Reads
from db.shards.worker import ShardWorker

log = logging.getLogger("ratesgraph.db")

T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)

RENEW_SECONDS = 10.0
"""Interval at which the layout is read without a change of the data, because a shard may have moved.

Until then its worker forwards such reads: they are slower, and not out of date.
"""


class ShardRouter:
    """Reads of totals, each at the worker that stores the totals of its origin.

    The coordinator or one of its replicas answers while the owner of an origin is not known or its gate is closed. It also
    answers when a read fails at a worker. So an outage of a worker fails only what the coordinator cannot answer either.

    `on_all_committed` is called as soon as all workers that can be reached have committed the data of the current version.

    Attributes:
        workers: The workers in the order of the metadata.
    """

    def __init__(
        self,
        reads: Reads,
        coordinator: Pool,
        create_worker: Callable[[Node, Callable[[], None]], ShardWorker],
        on_all_committed: Callable[[], None],
        renew_seconds: float,
    ) -> None:
        self._reads = reads
        self._coordinator = coordinator
        self._create_worker = create_worker
        self._on_all_committed = on_all_committed
        self._renew_seconds = renew_seconds
        self.workers: Sequence[ShardWorker] = ()
        self._owners: Mapping[int, ShardWorker] = {}
        self._layout: Layout | None = None
        self._version = ""
        self._epoch, self._expected = 0, -1
        self._woken = asyncio.Event()
        self._logged = ""
        self._worker_reads = self._coordinator_reads = self._repeated_reads = 0
        self.overload_error = reads.overload_error

    def find_owner(self, origin: int) -> ShardWorker | None:
        """Return the worker that stores the totals of the origin and has the current data."""
        owner = self._owners.get(origin)
        return owner if owner is not None and owner.state is GateState.OPEN else None

    def group_by_owner(self, keys: Sequence[Key], get_origin: Callable[[Key], int]) -> list[list[Key]]:
        """Return the keys in groups, one for each worker and one for the coordinator."""
        groups: dict[ShardWorker | None, list[Key]] = {}
        for key in keys:
            groups.setdefault(self.find_owner(get_origin(key)), []).append(key)
        return list(groups.values())

    async def read_at_owner(self, origin: int, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of read-only work on the totals of an origin.

        The work may run several times. Raise the DatabaseError of the coordinator.
        """
        owner = self.find_owner(origin)
        if owner is not None:
            try:
                result = await owner.read(work)
            except DatabaseError:
                self._repeated_reads += 1
            else:
                self._worker_reads += 1
                return result
        self._coordinator_reads += 1
        return await self._reads.read(work)

    def take_counts(self) -> tuple[int, int, int]:
        """Return the numbers of reads since the last call.

        They are those through the coordinator, those at workers, and those repeated after a failure.
        """
        counts = self._coordinator_reads, self._worker_reads, self._repeated_reads
        self._coordinator_reads = self._worker_reads = self._repeated_reads = 0
        return counts

    def on_version(self, name: str) -> None:
        """Send reads to the coordinator until each worker has committed the data of the new version.

        An empty name is an unknown version.
        """
        self._version = name
        self._close()
        self._woken.set()

    def _close(self) -> None:
        self._epoch += 1
        for worker in self.workers:
            worker.close(is_known=False)

    async def run(self) -> None:
        """Follow the layout of the cluster until the task is cancelled."""
        async with AsyncExitStack() as tasks:
            try:
                while True:
                    await self._follow(tasks)
            finally:
                self._owners, self.workers = {}, ()

    async def _follow(self, tasks: AsyncExitStack) -> None:
        """Let the workers open their gates for the current layout, and wait for a change."""
        self._woken.clear()
        if self._version:
            try:
                await self._renew(tasks)
            except MigrationNeeded:
                self._report("the database has no tables of Citus")
                self._on_all_committed()
            except DatabaseError as error:
                self._close()
                self._report(describe_for_operator(error))
            except Exception:
                # The task must not end here: lanes would still be sent to workers that no longer have them.
                self._close()
                log.exception("cannot read the shards of the cluster; lanes are read through the coordinator")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._renew_seconds):
                await self._woken.wait()

    async def _renew(self, tasks: AsyncExitStack) -> None:
        """Read the layout, determine the owners if it has changed, and let the workers expect it."""
        epoch, layout = self._epoch, await self._coordinator.try_read(_describe_layout)
        if layout != self._layout:
            self._close()
            epoch = self._epoch
            layout = await self._follow_layout(tasks)
        self._logged = ""
        if epoch == self._epoch != self._expected:
            self._expected = epoch
            for worker in self.workers:
                worker.expect(layout)
            self._report_if_all_committed()

    async def _follow_layout(self, tasks: AsyncExitStack) -> Layout:
        """Determine the owners of all origins, and replace workers with other addresses."""
        ownership = await self._coordinator.try_read(_read_ownership)
        if ownership.nodes != [worker.node for worker in self.workers]:
            self._owners, self.workers = {}, ()
            await tasks.aclose()
            self.workers = [self._create_worker(node, self._report_if_all_committed) for node in ownership.nodes]
            for worker in self.workers:
                await tasks.enter_async_context(background_task(worker.run()))
        by_group = {worker.node.group: worker for worker in self.workers}
        self._owners = {origin: by_group[group] for origin, group in ownership.owners if group in by_group}
        self._layout = ownership.layout
        return ownership.layout

    def _report_if_all_committed(self) -> None:
        """Call `on_all_committed` if no worker has yet to commit the data of the current version."""
        if self._expected == self._epoch and not any(worker.is_pending for worker in self.workers):
            self._on_all_committed()

    def _report(self, reason: str) -> None:
        """Log once why the owners of lanes are not known."""
        if reason != self._logged:
            self._logged = reason
            log.warning("cannot read the shards of the cluster; lanes are read through the coordinator: %s", reason)


class _Ownership(NamedTuple):
    """Layout with its workers, and each origin with the group of its node."""

    layout: Layout
    nodes: list[Node]
    owners: list[tuple[int, int | None]]


async def _describe_layout(connection: Connection) -> Layout:
    """Return the layout. Raise MigrationNeeded without Citus.

    This is checked first, because the pool logs statements that PostgreSQL refuses as errors.
    """
    if not await shards.has_catalogs(connection):
        raise MigrationNeeded
    return await shards.describe_layout(connection)


async def _read_ownership(connection: Connection) -> _Ownership:
    """Return the owners that belong to one layout.

    The statements have no common snapshot of the catalogs.
    """
    layout = await shards.describe_layout(connection)
    while True:
        nodes = await shards.list_nodes(connection)
        groups = dict(await shards.list_placements(connection))
        origins = await shards.list_owners(connection) if groups else []
        before, layout = layout, await shards.describe_layout(connection)
        if before == layout:
            return _Ownership(layout, nodes, [(origin, groups.get(shard)) for origin, shard in origins])


@asynccontextmanager
async def open_shard_router(
    reads: Reads,
    direct_url: str,
    *,
    max_size: int,
    read_seconds: float,
    lag_seconds: float,
    on_all_committed: Callable[[], None],
    on_return: Callable[[], None],
    renew_seconds: float = RENEW_SECONDS,
) -> AsyncIterator[ShardRouter]:
    """Open a pool for each worker of the cluster, in the background.

    A worker that is away delays nothing.

    `on_return` is called when a worker answers again after an outage: it may have committed a change unnoticed meanwhile.

    The layout is read on a connection of its own, as the positions of a primary are (`db.replicas.router`).
    """
    settings = GateSettings(max_size, read_seconds, lag_seconds)
    async with open_pool(direct_url, API, max_size=1) as coordinator:

        def create_worker(node: Node, on_state: Callable[[], None]) -> ShardWorker:
            return ShardWorker(
                node,
                direct_url,
                partial(coordinator.try_read, partial(shards.identify_node, node=node)),
                on_state,
                on_return,
                settings,
            )

        router = ShardRouter(reads, coordinator, create_worker, on_all_committed, renew_seconds)
        async with background_task(router.run()):
            yield router
