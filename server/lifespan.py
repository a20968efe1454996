"""Lifespan of the application: pools, listeners, authentication, and the request state."""

import asyncio
import contextlib
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib import import_module, metadata
from typing import TypedDict

from starlette.applications import Starlette
from starlette.types import Message, Send

from db.embedded.disk_space import open_disk_space
from db.errors import DatabaseError, describe_for_operator
from db.notifications import BATCHES, DATA, POSITIONS, open_notifications
from db.pool import API, INGEST, Pool, open_pool
from db.replicas.router import ReadRouter, Reads, open_read_router
from db.shards.router import ShardRouter, open_shard_router
from resolvers.context import AppContext, Limits
from resolvers.data_version import DataVersion
from resolvers.loading.day_totals import create_day_totals_loader
from resolvers.price_changes import PriceChanges
from server import ingest_adapter
from server.auth.access_control import AccessControl
from server.auth.authenticator import JwtAuthenticator, open_authenticator
from server.config.network import parse_networks
from server.config.profiles import Profile, choose_profile
from server.config.query_settings import QuerySettings
from server.config.settings import Settings
from server.graphql_api.cache_invalidation import track_data_version
from server.graphql_api.consistency_tokens import ConsistencyTokens
from server.graphql_api.response_cache import ResponseCache
from server.graphql_api.shared_cache.shared_responses import SharedResponses
from server.http.large_bodies import LargeBodies
from server.observability.metrics import MetricsRecorder, open_metrics
from server.rate_limiting.shared_storage import open_shared_storage
from server.runtime.accept_balancing import AcceptYielder, BacklogAcceptor
from server.runtime.connection_limit import ConnectionLimiter, raise_fd_limit
from server.runtime.graceful_shutdown import DrainState
from server.runtime.slow_readers import SlowReaders

log = logging.getLogger("ratesgraph.server")

MAX_CONCURRENT_FILE_UPLOADS = 2
"""Maximum number of connections of the read pool that store uploaded files."""

GC_GENERATION0_THRESHOLD = 10_000
"""Allocations after which the garbage collector examines its youngest generation."""


class State(TypedDict):
    """State that the lifespan yields and every request can read."""

    app_context: AppContext
    ingest_pool: Pool
    response_cache: ResponseCache
    shared_responses: SharedResponses | None
    consistency_tokens: ConsistencyTokens
    access_control: AccessControl
    large_bodies: LargeBodies
    connection_limiter: ConnectionLimiter
    slow_readers: SlowReaders
    accept_yielder: AcceptYielder
    backlog_acceptor: BacklogAcceptor
    drain_state: DrainState
    metrics_recorder: MetricsRecorder
    stopping: asyncio.Event
    request_seconds: float
    slow_seconds: float
    drain_seconds: float


Lifespan = Callable[[Starlette], AbstractAsyncContextManager[State]]


def request_limits(settings: Settings) -> Limits:
    """Return the limits of a single request."""
    return Limits(
        settings.max_days,
        settings.max_items,
        settings.max_page_size,
        max_statistics_prices=settings.max_statistics_prices,
        max_exact_prices=settings.max_exact_prices,
        execution_seconds=settings.execution_seconds,
        batch=settings.batch_limits(),
    )


def create_lifespan(settings: Settings, database_url: str, *, writes_are_open: bool) -> Lifespan:
    """Return the lifespan of an application that serves a migrated database."""
    # Requests that reach their own time limits have ended by then.
    read_seconds = max(settings.execution_seconds, API.statement_timeout / 1_000) + 1
    open_role_pool = partial(open_pool, outage_seconds=settings.database_wait_seconds, read_seconds=read_seconds)
    direct_url = settings.direct_url or database_url

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with (
            _open_tracing(settings),
            open_role_pool(database_url, API, max_size=settings.pool_size) as pool,
            open_role_pool(direct_url, INGEST, max_size=settings.ingest_pool_size) as ingest_pool,
            open_notifications(direct_url, BATCHES, POSITIONS, DATA) as notifications,
            track_data_version(pool, notifications) as version,
            _open_reads(settings, pool, direct_url, version, read_seconds) as reads,
            _open_shards(settings, reads, direct_url, version, read_seconds) as shards,
            open_authenticator(
                pool,
                _create_oidc_authenticator(settings),
                reads_are_open=settings.anonymous_reads,
                writes_are_open=writes_are_open,
            ) as authenticator,
            open_shared_storage(settings.rate_limit_storage) as shared_storage,
            _open_shared_responses(settings, pool, version) as shared_responses,
        ):
            response_cache = ResponseCache(version, settings.cache_bytes)
            slow_readers = SlowReaders(settings.stall_seconds, settings.max_unread_bytes)
            async with open_metrics(
                {"reading": pool, "ingest": ingest_pool},
                lambda: response_cache.size,
                reads if isinstance(reads, ReadRouter) else None,
                shards,
                None if shared_responses is None else shared_responses.take_counts,
            ) as recorder:
                _tune_garbage_collector()
                app_context = AppContext(
                    pool=pool,
                    reads=reads,
                    shards=shards,
                    totals=create_day_totals_loader(shards or reads),
                    primary_totals=create_day_totals_loader(pool),
                    limits=request_limits(settings),
                    notifications=notifications,
                    price_changes=PriceChanges(pool),
                    revert_batch=partial(ingest_adapter.revert_batch, ingest_pool, pool),
                    change_tree=partial(ingest_adapter.change_tree, ingest_pool, pool, settings.max_moved_lane_months),
                    preview_upload=ingest_adapter.create_previewer(ingest_pool, pool, settings.batch_limits()),
                    read_archive=ingest_adapter.create_archive_reader(settings.execution_seconds),
                    file_upload_semaphore=asyncio.Semaphore(MAX_CONCURRENT_FILE_UPLOADS),
                    disk_space=open_disk_space(settings.data_dir, database_url, settings.min_free_bytes),
                    version=version,
                    schema_is_open=choose_profile(settings) is Profile.DEVELOPMENT,
                )
                yield State(
                    app_context=app_context,
                    ingest_pool=ingest_pool,
                    response_cache=response_cache,
                    shared_responses=shared_responses,
                    consistency_tokens=ConsistencyTokens(pool, notifications, version),
                    access_control=AccessControl(authenticator, settings, shared_storage),
                    large_bodies=LargeBodies(settings.max_body_bytes),
                    connection_limiter=_create_connection_limiter(settings, slow_readers),
                    slow_readers=slow_readers,
                    accept_yielder=AcceptYielder(processes=settings.workers),
                    backlog_acceptor=BacklogAcceptor(),
                    drain_state=DrainState(),
                    metrics_recorder=recorder,
                    stopping=asyncio.Event(),
                    request_seconds=settings.request_seconds,
                    slow_seconds=settings.slow_seconds,
                    drain_seconds=settings.drain_seconds,
                )

    return lifespan


@contextlib.asynccontextmanager
async def _open_reads(
    settings: Settings, pool: Pool, direct_url: str, version: DataVersion, read_seconds: float
) -> AsyncIterator[Reads]:
    """Yield where prices and locations are read: the pool itself without replicas."""
    if not settings.read_urls:
        yield pool
        return
    async with open_read_router(
        pool,
        direct_url,
        settings.replica_urls(),
        max_size=settings.pool_size,
        read_seconds=read_seconds,
        lag_seconds=settings.replica_lag,
    ) as router:
        version.listeners.append(router.on_version)
        router.on_version(version.name)
        yield router


@contextlib.asynccontextmanager
async def _open_shards(
    settings: Settings, reads: Reads, direct_url: str, version: DataVersion, read_seconds: float
) -> AsyncIterator[ShardRouter | None]:
    """Yield the router of lanes to the workers of a Citus cluster, if enabled."""
    if not settings.citus_direct_reads:
        yield None
        return
    async with open_shard_router(
        reads,
        direct_url,
        max_size=settings.pool_size,
        read_seconds=read_seconds,
        lag_seconds=settings.replica_lag,
        on_all_committed=version.confirm,
        on_return=version.invalidate,
    ) as router:
        version.needs_confirmation = True
        version.listeners.append(router.on_version)
        router.on_version(version.name)
        yield router


def _open_shared_responses(
    settings: Settings, pool: Pool, version: DataVersion
) -> AbstractAsyncContextManager[SharedResponses | None]:
    """Return the shared responses, if enabled. Their client is an optional package."""
    if settings.cache_url is None:
        return contextlib.nullcontext()
    # Another release, or other limits, may answer the same question in another way.
    release = f"{metadata.version('ratesgraph')} {settings.model_dump(include=set(QuerySettings.model_fields))}"
    store = import_module("server.graphql_api.shared_cache.store")
    shared: AbstractAsyncContextManager[SharedResponses] = store.open_shared_responses(
        settings.cache_url.get_secret_value(), pool, version, release
    )
    return shared


def report_startup_failure(send: Send) -> Send:
    """Return a `send` that reports an unusable database as one sentence.

    The stock message is a traceback.
    """

    async def send_reason(message: Message) -> None:
        error = sys.exception()
        if message["type"] == "lifespan.startup.failed" and isinstance(error, DatabaseError):
            log.error("server cannot start: %s", describe_for_operator(error))
            message = {**message, "message": ""}
        await send(message)

    return send_reason


def _create_connection_limiter(settings: Settings, slow_readers: SlowReaders) -> ConnectionLimiter:
    max_connections = raise_fd_limit(settings.max_connections)
    return ConnectionLimiter(
        max_connections, settings.max_address_connections, parse_networks(settings.trusted_proxies), slow_readers
    )


def _open_tracing(settings: Settings) -> AbstractAsyncContextManager[None]:
    """Return the exporter of traces, if enabled.

    It opens before the pools, because traced connections use another cursor class.
    """
    if not settings.traces:
        return contextlib.nullcontext()
    tracing: AbstractAsyncContextManager[None] = import_module("server.observability.tracing").open_tracing()
    return tracing


def _create_oidc_authenticator(settings: Settings) -> JwtAuthenticator | None:
    """Return the authenticator of the OpenID Connect issuer, or None without configuration."""
    if not (settings.oidc_issuer and settings.oidc_audience and settings.oidc_jwks_url):
        return None
    authenticator: JwtAuthenticator = import_module("server.auth.oidc").OidcAuthenticator(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_jwks_url,
        reads_are_open=settings.anonymous_reads,
    )
    return authenticator


def _tune_garbage_collector() -> None:
    """Exclude imported objects from collection and collect young objects less often."""
    # Imported objects live as long as the process. If every full collection examined them, each would block the event loop for
    # a tenth of a second.
    gc.collect()
    gc.freeze()
    # A response of many days consists of as many objects. The default threshold of 700 would examine them several times while
    # the response is built.
    gc.set_threshold(GC_GENERATION0_THRESHOLD)
