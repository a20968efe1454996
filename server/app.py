"""Puts the application together: routes, lifespan, and what each request's context holds."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib import import_module
from typing import TypedDict

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from db.errors import DatabaseError
from db.notifications import BATCHES, DATA, open_notifications
from db.pool import API, INGEST, Pool, open_pool
from graph.limits import QueryLimits
from graph.schema import schema
from resolvers.changes import PriceChanges
from resolvers.context import Limits, Shared
from resolvers.totals import gather_totals
from server import engine
from server.admission import Admission, SocketAdmission
from server.answers import Answers
from server.body_limit import BodyLimits
from server.callers import JwtReader, open_callers
from server.connections import find_room
from server.dry_runs import make_preview_upload
from server.endpoint import GraphQLEndpoint
from server.errors import answer_refused
from server.following import follow_data
from server.graphql import SocketView
from server.metrics import Figures, measuring
from server.observing import Observing, TracedRequests
from server.origins import Origins
from server.pages import make_explorer
from server.persisted import PersistedDocuments
from server.profiles import Profile, choose_profile
from server.rejections import rejections_route
from server.scraping import metrics_route
from server.settings import Settings
from server.stopping import Leaving
from server.turns import Turns

FILES_STORED_AT_ONCE = 2
"""How many connections of the reading pool storing files may take."""


YOUNG_OBJECTS = 10_000
"""New objects after which garbage is looked for among them."""


class State(TypedDict):
    """What the lifespan yields and every request can reach."""

    shared: Shared
    ingest_pool: Pool
    answers: Answers
    admission: Admission
    max_connections: int
    turns: Turns
    leaving: Leaving
    figures: Figures
    stopping: asyncio.Event
    request_seconds: float
    slow_seconds: float
    linger_seconds: float


def create_app(settings: Settings, database_url: str, *, writes_are_open: bool) -> ASGIApp:
    """Return the application for a migrated database.

    `writes_are_open` lets everybody on this machine do everything, without a token, unless reading is closed.
    """
    limits = Limits(
        settings.max_days, settings.max_items, settings.max_page_size, execution_seconds=settings.execution_seconds
    )
    # Whatever its limits end has ended by then.
    read_seconds = max(settings.execution_seconds, API.statement_timeout / 1_000) + 1
    open_our_pool = partial(open_pool, outage_seconds=settings.outage_seconds, read_seconds=read_seconds)
    direct_url = settings.direct_url or database_url
    is_open = choose_profile(settings) is Profile.DEVELOPMENT

    recognising = partial(
        open_callers,
        jwts=_read_jwts(settings),
        reads_are_open=settings.open_reads,
        writes_are_open=writes_are_open,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_routes: Starlette) -> AsyncIterator[State]:
        async with (
            _tracing(settings),
            open_our_pool(database_url, API, max_size=settings.pool_size) as pool,
            open_our_pool(direct_url, INGEST, max_size=settings.ingest_pool_size) as ingest_pool,
            open_notifications(direct_url, BATCHES, DATA) as notifications,
            follow_data(pool, notifications) as version,
            recognising(pool) as callers,
            measuring(
                {"reading": pool, "ingest": ingest_pool}, answers := Answers(version, settings.cache_bytes)
            ) as figures,
        ):
            # What has been imported lives as long as the process. Walked through by every full collection of garbage, it would
            # stop the event loop for a tenth of a second each time.
            gc.collect()
            gc.freeze()
            # An answer of many days is made of as many objects: with the stock threshold of 700 it would be walked through
            # several times while it is put together.
            gc.set_threshold(YOUNG_OBJECTS)
            shared = Shared(
                pool,
                gather_totals(pool),
                limits,
                notifications,
                PriceChanges(pool),
                partial(engine.revert_batch, ingest_pool),
                partial(engine.change_tree, ingest_pool),
                make_preview_upload(ingest_pool),
                asyncio.Semaphore(FILES_STORED_AT_ONCE),
                version,
                schema_is_open=is_open,
            )
            yield State(
                shared=shared,
                ingest_pool=ingest_pool,
                answers=answers,
                admission=Admission(callers, settings),
                max_connections=find_room(settings.max_connections),
                turns=Turns(processes=settings.workers),
                leaving=Leaving(),
                figures=figures,
                stopping=asyncio.Event(),
                request_seconds=settings.request_seconds,
                slow_seconds=settings.slow_seconds,
                linger_seconds=settings.linger_seconds,
            )

    documents = PersistedDocuments(settings.documents_dir, only_registered=settings.only_registered)
    limited = schema.limited(
        QueryLimits(
            settings.max_document_length,
            settings.max_tokens,
            settings.max_depth,
            settings.max_fields,
            settings.max_aliases,
            settings.max_directives,
            settings.max_cost,
            settings.max_errors,
        ),
        limits,
        suggest=is_open,
    )
    origins = Origins(settings.cors_origins)
    endpoint = GraphQLEndpoint(
        limited,
        make_explorer(from_delivery=is_open),
        SocketAdmission(SocketView(limited, documents, origins, settings.max_socket_operations)),
        documents,
        origins,
        max_age=settings.max_age,
        body_limits=BodyLimits(settings.max_query_bytes, settings.max_body_bytes, settings.max_upload_bytes),
        reads_are_open=settings.open_reads,
    )
    routes = Routes(
        routes=[
            Route("/", RedirectResponse("/graphql")),
            Route("/graphql", endpoint),
            rejections_route(),
            Route("/livez", _answer_alive),
            Route("/readyz", _answer_ready),
            metrics_route(settings.metrics_token, is_open=is_open),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: answer_refused},
    )
    app = Observing(origins.around(FirstOf(routes, "/graphql", endpoint)), slow_seconds=settings.slow_seconds)
    return TracedRequests(app) if settings.traces else app


def _tracing(settings: Settings) -> AbstractAsyncContextManager[None]:
    """Return what sends traces, if they are wanted. Before connections are opened: those of a traced server are others."""
    if not settings.traces:
        return contextlib.nullcontext()
    sending: AbstractAsyncContextManager[None] = import_module("server.tracing").sending()
    return sending


class Routes(Starlette):
    """Starlette without its answer to faults of ours: that is given further out, in JSON, and told of once."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return what leads to the routes."""
        return ExceptionMiddleware(self.router, handlers=self.exception_handlers)


class FirstOf:
    """Takes the short way to one route: the router and its exceptions would take as long again as an answer that is kept."""

    def __init__(self, app: ASGIApp, path: str, first: ASGIApp) -> None:
        self._app, self._path, self._first = app, path, first

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand the request on."""
        is_first = scope["type"] != "lifespan" and scope["path"] == self._path
        return (self._first if is_first else self._app)(scope, receive, send)


def _read_jwts(settings: Settings) -> JwtReader | None:
    """Return what recognises callers by the tokens of an issuer, if one is set."""
    if not (settings.oidc_issuer and settings.oidc_audience and settings.oidc_jwks_url):
        return None
    reader: JwtReader = import_module("server.oidc").OidcCallers(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_jwks_url,
        reads_are_open=settings.open_reads,
    )
    return reader


def create_app_from_environment() -> ASGIApp:
    """Return the application of a worker process, which `ratesgraph serve` has told everything by the environment."""
    return _create_from_environment(writes_are_open=False)


def create_open_app_from_environment() -> ASGIApp:
    """Return the same where writing is open: this is told by no setting, so that none can open it."""
    return _create_from_environment(writes_are_open=True)


def _create_from_environment(*, writes_are_open: bool) -> ASGIApp:
    settings = Settings()
    if settings.database_url is None:
        raise RuntimeError("DATABASE_URL is not set: start the server with `ratesgraph serve`")
    return create_app(settings, settings.database_url, writes_are_open=writes_are_open)


async def _answer_alive(_request: Request) -> Response:
    """Say that the process runs."""
    return PlainTextResponse("alive\n")


async def _answer_ready(request: Request) -> Response:
    """Say whether the database answers, and the server stays."""
    if request.state.leaving.is_unready:
        return PlainTextResponse("the server is about to stop\n", status_code=503)
    try:
        await request.state.shared.pool.ping()
    except DatabaseError:
        return PlainTextResponse("the database does not answer\n", status_code=503, headers={"Retry-After": "2"})
    return PlainTextResponse("ready\n")
