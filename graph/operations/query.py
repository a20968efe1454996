"""Root fields for operators."""

from datetime import date

import strawberry

from graph.authorization import requires
from graph.types.arguments import Info
from resolvers.caller import AuthScope
from resolvers.operations.status import server_status


@strawberry.type(description="The state of the installation at a glance.")
class ServerStatus:
    version: str = strawberry.field(description="The version of the server that answers.")
    queued_batches: int = strawberry.field(description="Number of batches that wait for a worker.")
    running_batches: int = strawberry.field(description="Number of batches that a worker processes or will retry.")
    oldest_batch_seconds: float = strawberry.field(
        description="Seconds since the oldest of these batches was accepted; 0 if there are none."
    )
    ended_last_hour: int = strawberry.field(
        description="Number of batches that were applied, were rejected or failed in the last hour."
    )
    workers: int = strawberry.field(
        description=(
            "Number of connected `ratesgraph worker` processes; 0 if the server's role in the database may not see"
            " the sessions of theirs."
        )
    )
    database_bytes: float = strawberry.field(description="The size of the database in bytes, indexes included.")
    newest_rate_day: date | None = strawberry.field(
        description="The newest day with a published exchange rate; null without rates."
    )


@strawberry.type
class OperationsQuery:
    """Root fields that `graph.query.Query` inherits."""

    @strawberry.field(
        description="The state of the queue, the workers, the database and the exchange rates.",
        metadata=requires(AuthScope.ADMIN),
    )
    async def server_status(self, info: Info) -> ServerStatus | None:
        status = await server_status(info.context)
        return ServerStatus(
            version=status.version,
            queued_batches=status.queue.queued,
            running_batches=status.queue.running,
            oldest_batch_seconds=status.queue.oldest_seconds,
            ended_last_hour=status.ended_last_hour,
            workers=status.workers,
            database_bytes=status.database_bytes,
            newest_rate_day=status.newest_rate_day,
        )
