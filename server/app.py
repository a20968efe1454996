"""Puts the application together: routes, lifespan, and what each request's context holds."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TypedDict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from db.errors import DatabaseError
from db.model import BatchStatus, Rejection, TreeChange, TreeEntry
from db.notifications import BATCHES, Notifications, open_notifications
from db.pool import API, INGEST, Pool, open_pool
from graph.schema import schema
from ingest.errors import TreeRejected
from ingest.revert import revert_batch
from ingest.tree import change_tree, normalize
from resolvers.context import Limits, RequestContext
from server.graphql import GraphQLView
from server.rejections import rejections_route
from server.settings import Settings


class State(TypedDict):
    """What the lifespan yields and every request can reach."""

    pool: Pool
    ingest_pool: Pool
    notifications: Notifications


def create_app(settings: Settings, database_url: str, *, writes_are_open: bool) -> Starlette:
    """Return the application for a migrated database."""
    limits = Limits(settings.max_days, settings.max_items, settings.max_page_size)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with (
            open_pool(database_url, API, max_size=settings.pool_size) as pool,
            open_pool(database_url, INGEST, max_size=settings.ingest_pool_size) as ingest_pool,
            open_notifications(database_url, BATCHES) as notifications,
        ):
            yield State(pool=pool, ingest_pool=ingest_pool, notifications=notifications)

    def make_context(request: Request) -> RequestContext:
        state = request.state

        async def revert(batch_id: int) -> BatchStatus | None:
            async with state.ingest_pool.connection() as connection:
                return await revert_batch(connection, batch_id)

        async def change(entries: Sequence[TreeEntry]) -> TreeChange | Rejection:
            async with state.ingest_pool.connection() as connection:
                try:
                    return await change_tree(connection, [normalize(entry) for entry in entries])
                except TreeRejected as error:
                    return Rejection(error.number, None, error.code, error.message, None)

        return RequestContext(state.pool, limits, state.notifications, revert, change, may_write=writes_are_open)

    view = GraphQLView(schema, make_context)
    return Starlette(
        routes=[
            Route("/", RedirectResponse("/graphql")),
            Route("/graphql", view),
            rejections_route(),
            Route("/livez", _answer_alive),
            Route("/readyz", _answer_ready),
        ],
        lifespan=lifespan,
        max_body_size=settings.max_body_bytes,
    )


def create_app_from_environment() -> Starlette:
    """Return the application of a worker process, which `ratesgraph serve` has told everything by the environment."""
    settings = Settings()
    if settings.database_url is None:
        raise RuntimeError("DATABASE_URL is not set: start the server with `ratesgraph serve`")
    return create_app(settings, settings.database_url, writes_are_open=settings.open_writes)


async def _answer_alive(_request: Request) -> Response:
    """Say that the process runs."""
    return PlainTextResponse("alive\n")


async def _answer_ready(request: Request) -> Response:
    """Say whether the database answers."""
    try:
        async with request.state.pool.connection() as connection:
            await connection.execute("SELECT 1")
    except DatabaseError:
        return PlainTextResponse("the database does not answer\n", status_code=503, headers={"Retry-After": "2"})
    return PlainTextResponse("ready\n")
