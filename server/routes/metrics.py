"""`GET /metrics`: Prometheus metrics of the process and of the batch queue.

The endpoint also answers while the database is unavailable. Metrics reveal the load and the operations of the server, so
access is restricted to admins, clients with the metrics token, and same-host requests in the development profile.
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
from graph.authorization import require_scopes
from resolvers.caller import AuthScope
from server.auth.access_control import AccessControl
from server.auth.same_host import is_same_host_request
from server.http.request_headers import parse_headers
from server.observability import metrics
from server.routes.guarded import guarded
from telemetry.request_record import record_caller

ADMIN = frozenset({AuthScope.ADMIN})
OUTCOMES = {
    "applied": (BatchStatus.APPLIED, BatchStatus.REVERTED),
    "rejected": (BatchStatus.REJECTED,),
    "failed": (BatchStatus.FAILED,),
    "reverted": (BatchStatus.REVERTED,),
}
"""Statuses of each outcome.

A reverted batch still counts as applied, so that no counter ever decreases.
"""


def metrics_route(token: SecretStr | None, *, is_open: bool) -> Route:
    """Return the route.

    `token` grants access in addition to admin tokens. `is_open` grants access to same-host requests.
    """

    @guarded
    async def scrape(request: Request) -> Response:
        await _require_access(request, token, is_open=is_open)
        request.state.metrics_recorder.flush()
        collector = MetricsCollector(await _query_queue_metrics(request.state.app_context.pool))
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        body = await asyncio.to_thread(encode, collector)
        return Response(body, headers={"Content-Type": media_type, "Cache-Control": "private, no-store"})

    return Route("/metrics", scrape, methods=["GET"])


async def _require_access(request: Request, token: SecretStr | None, *, is_open: bool) -> None:
    """Raise HttpError or PermissionDenied unless the client may read the metrics."""
    headers = parse_headers(request.scope["headers"])
    authorization = headers.get(b"authorization")
    if authorization is None and is_open and is_same_host_request(headers):
        return
    if authorization and token and hmac.compare_digest(authorization, f"Bearer {token.get_secret_value()}".encode()):
        # This token needs no database lookup, so it also works during an outage.
        record_caller("metrics")
        return
    access_control: AccessControl = request.state.access_control
    identity, _ = await access_control.authorize(request.scope, headers)
    require_scopes(identity.caller, ADMIN)


async def _query_queue_metrics(pool: Pool) -> tuple[QueueState, dict[BatchStatus, int]] | None:
    """Return the queue metrics, or None if the database does not answer at once.

    Prometheus aborts a scrape after ten seconds by default. The process metrics must be sent long before that.
    """

    async def measure(connection: Connection) -> tuple[QueueState, dict[BatchStatus, int]]:
        return await batches.measure_queue(connection), await batches.count_outcomes(connection)

    try:
        return await pool.try_read(measure)
    except DatabaseError:
        return None


@dataclass(frozen=True, slots=True)
class MetricsCollector:
    """Prometheus collector of process metrics and, if the database answers, queue metrics."""

    database: tuple[QueueState, dict[BatchStatus, int]] | None

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield from metrics.collect()
        is_up = self.database is not None
        yield GaugeMetricFamily("ratesgraph_database_up", "Whether the database answers", value=is_up)
        if self.database is None:
            return
        queue, outcomes = self.database
        yield GaugeMetricFamily("ratesgraph_batches_queued", "Batches that wait in the queue", value=queue.queued)
        yield GaugeMetricFamily("ratesgraph_batches_running", "Batches that are being processed", value=queue.running)
        yield GaugeMetricFamily(
            "ratesgraph_oldest_batch_seconds",
            "Age of the oldest batch that has not ended, since it was accepted",
            value=queue.oldest_seconds,
        )
        yield GaugeMetricFamily(
            "ratesgraph_queue_payload_bytes",
            "Size of the payloads that have not been applied",
            value=queue.payload_bytes,
        )
        yield GaugeMetricFamily(
            "ratesgraph_queue_work_seconds",
            "Estimated seconds that one worker needs for the batches that have not ended",
            value=queue.work_seconds,
        )
        family = CounterMetricFamily("ratesgraph_batches", "Batches that have ended", labels=["outcome"])
        for outcome, statuses in OUTCOMES.items():
            family.add_metric([outcome], sum(outcomes.get(status, 0) for status in statuses))
        yield family
