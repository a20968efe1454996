"""State of the installation at a glance: queue, workers, database, exchange rates."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version

from db.connection import Connection
from db.notifications import QUEUE, measure_listeners
from db.repositories import batches, rates
from domain.batches import QueueState
from resolvers.context import RequestContext

HOUR_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Status:
    """State of the installation.

    Attributes:
        version: Version of this server process.
        workers: Number of worker processes that are connected.
        newest_rate_day: Newest day with a published exchange rate of any currency.
    """

    version: str
    queue: QueueState
    ended_last_hour: int
    workers: int
    database_bytes: int
    newest_rate_day: date | None


async def server_status(context: RequestContext) -> Status:
    """Return the state of the installation."""

    async def measure(connection: Connection) -> Status:
        database_bytes, workers = await measure_listeners(connection, QUEUE)
        return Status(
            _read_version(),
            queue=await batches.measure_queue(connection),
            ended_last_hour=await batches.count_ended_since(connection, seconds=HOUR_SECONDS),
            workers=workers,
            database_bytes=database_bytes,
            newest_rate_day=max((await rates.list_currencies(connection)).values(), default=None),
        )

    return await context.app.pool.read(measure)


@cache
def _read_version() -> str:
    return version("ratesgraph")
