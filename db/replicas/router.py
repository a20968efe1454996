"""Router of reads: to the open replicas in turn, otherwise to the primary."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar

from db.background import background_task
from db.connection import Connection
from db.errors import DatabaseError
from db.pool import API, Pool, open_pool
from db.replicas.gated_server import GateSettings, GateState
from db.replicas.replica import Replica
from db.repositories.versions import locate_position

T = TypeVar("T")


class ReadRouter:
    """Reads of prices and locations, spread over the replicas that have the current data.

    The primary answers while no replica has them, and when a read fails at a replica. So an outage of a replica fails no
    request.

    Attributes:
        replicas: The replicas in the order of the setting.
    """

    def __init__(self, primary: Pool) -> None:
        self._primary = primary
        self.replicas: Sequence[Replica] = ()
        self._open: Sequence[Replica] = ()
        self._turn = 0
        self._primary_reads = self._replica_reads = self._repeated_reads = 0
        self.overload_error = primary.overload_error

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of read-only work, which may run several times.

        Raise the DatabaseError of the primary.
        """
        if self._open:
            self._turn += 1
            replica = self._open[self._turn % len(self._open)]
            try:
                result = await replica.read(work)
            except DatabaseError:
                # Among others, a query that conflicts with the replay of a change (SQLSTATE 40001).
                self._repeated_reads += 1
            else:
                self._replica_reads += 1
                return result
        self._primary_reads += 1
        return await self._primary.read(work)

    def take_counts(self) -> tuple[int, int, int]:
        """Return the numbers of reads since the last call.

        They are those of the primary, those of replicas, and those repeated after a failure.
        """
        counts = self._primary_reads, self._replica_reads, self._repeated_reads
        self._primary_reads = self._replica_reads = self._repeated_reads = 0
        return counts

    def on_version(self, name: str) -> None:
        """Send reads to the primary until each replica has replayed the data of the new version.

        An empty name is an unknown version.
        """
        for replica in self.replicas:
            replica.close(is_known=bool(name))

    def refresh(self) -> None:
        """Determine which replicas are open."""
        self._open = tuple(replica for replica in self.replicas if replica.state is GateState.OPEN)


@asynccontextmanager
async def open_read_router(
    primary: Pool,
    direct_url: str,
    replica_urls: Sequence[str],
    *,
    max_size: int,
    read_seconds: float,
    lag_seconds: float,
) -> AsyncIterator[ReadRouter]:
    """Open a pool for each replica, in the background: a replica that is away delays nothing.

    The positions of the primary are read on a connection of their own. Under load the gates would open late otherwise, and the
    primary would get still more reads.
    """
    router, settings = ReadRouter(primary), GateSettings(max_size, read_seconds, lag_seconds)
    async with open_pool(direct_url, API, max_size=1) as position_pool, AsyncExitStack() as tasks:
        router.replicas = [
            Replica(number, url, partial(position_pool.try_read, locate_position), router.refresh, settings)
            for number, url in enumerate(replica_urls, start=1)
        ]
        for replica in router.replicas:
            await tasks.enter_async_context(background_task(replica.run()))
        yield router


Reads = Pool | ReadRouter
"""Where reads of prices and locations go: the pool itself without replicas."""
