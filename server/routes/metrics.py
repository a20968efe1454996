"""`GET /metrics`: what Prometheus asks for every few seconds, also while the database is away.

It tells how busy the server is and what it is asked for, so not everybody may read it: those on the machine itself in the
development profile, who has the token that is set for it, and admins.
"""

import asyncio
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db.connection import Connection
from db.errors import DatabaseError
from db.pool import Pool
from db.repositories import batches
from domain.batches import BatchStatus, QueueState
from graph.execution.authorization import PermissionDenied, require_scopes
from resolvers.caller import AuthScope
from server.auth.access_control import AccessControl
from server.auth.same_host import is_same_host_request
from server.http.errors import HttpError, forbidden
from server.observability import metrics
from telemetry.request_record import record_caller

ADMIN = frozenset({AuthScope.ADMIN})
OUTCOMES = {
    "applied": (BatchStatus.APPLIED, BatchStatus.REVERTED),
    "rejected": (BatchStatus.REJECTED,),
    "failed": (BatchStatus.FAILED,),
    "reverted": (BatchStatus.REVERTED,),
}
"""A batch that was reverted had been applied: no count ever falls."""


def metrics_route(token: SecretStr | None, *, is_open: bool) -> Route:
    """Return the route. `token` opens it beside those of admins; `is_open`: to whoever is on this machine."""

    async def scrape(request: Request) -> Response:
        try:
            await _require_access(request, token, is_open=is_open)
        except HttpError as refused:
            return refused.to_response()
        except PermissionDenied as error:
            return forbidden(error).to_response()
        request.state.metrics_recorder.flush()
        everything = MetricsCollector(await _query_queue_metrics(request.state.app_context.pool))
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        body = await asyncio.to_thread(encode, everything)
        return Response(body, headers={"Content-Type": media_type, "Cache-Control": "private, no-store"})

    return Route("/metrics", scrape, methods=["GET"])


async def _require_access(request: Request, token: SecretStr | None, *, is_open: bool) -> None:
    headers = dict(request.scope["headers"])
    sent = headers.get(b"authorization")
    if sent is None and is_open and is_same_host_request(headers):
        return
    if sent and token and hmac.compare_digest(sent, f"Bearer {token.get_secret_value()}".encode()):
        # Nothing is looked up: it holds while the database is away, too.
        record_caller("metrics")
        return
    admission: AccessControl = request.state.access_control
    identity, _ = await admission.authorize(request.scope, headers)
    require_scopes(identity.caller, ADMIN)


async def _query_queue_metrics(pool: Pool) -> tuple[QueueState, dict[BatchStatus, int]] | None:
    """Return what the database tells of the queue, or None while it does not.

    A scrape is given up after ten seconds by default: the metrics of the process are to come long before.
    """

    async def measure(connection: Connection) -> tuple[QueueState, dict[BatchStatus, int]]:
        return await batches.measure_queue(connection), await batches.count_outcomes(connection)

    try:
        return await pool.try_read(measure)
    except DatabaseError:
        return None


@dataclass(frozen=True, slots=True)
class MetricsCollector:
    """All metrics: those of the processes, and those of the database, as far as it answers."""

    database: tuple[QueueState, dict[BatchStatus, int]] | None

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield from metrics.collect()
        is_up = self.database is not None
        yield GaugeMetricFamily("ratesgraph_database_up", "Whether the database answers", value=is_up)
        if self.database is None:
            return
        queue, ended = self.database
        yield GaugeMetricFamily("ratesgraph_batches_queued", "Batches that wait", value=queue.queued)
        yield GaugeMetricFamily("ratesgraph_batches_running", "Batches that are tried", value=queue.running)
        yield GaugeMetricFamily(
            "ratesgraph_oldest_batch_seconds",
            "How long ago the oldest batch was accepted that has not ended",
            value=queue.oldest_seconds,
        )
        family = CounterMetricFamily("ratesgraph_batches", "Batches that have ended", labels=["outcome"])
        for outcome, statuses in OUTCOMES.items():
            family.add_metric([outcome], sum(ended.get(status, 0) for status in statuses))
        yield family
