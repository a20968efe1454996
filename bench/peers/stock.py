"""Stock Strawberry application: a type, a resolver, a pool and the unmodified ASGI view."""

import contextlib
import os
from collections.abc import AsyncIterator
from datetime import date

import strawberry
from psycopg import sql
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL

QUERY = sql.SQL("SELECT day, average_price, price_count FROM {}.average_prices(%s, %s, %s, %s)").format(
    sql.Identifier(os.environ["PEER_SCHEMA"])
)
pool = AsyncConnectionPool(
    os.environ["DATABASE_URL"],
    max_size=int(os.environ["POOL_SIZE"]),
    min_size=1,
    open=False,
    kwargs={"autocommit": True},
)


@strawberry.type
class DailyAverage:
    day: date
    average_price: float | None
    price_count: int


@strawberry.type
class Query:
    @strawberry.field
    async def average_prices(self, date_from: date, date_to: date, origin: str, destination: str) -> list[DailyAverage]:
        async with pool.connection() as connection, connection.cursor(row_factory=class_row(DailyAverage)) as cursor:
            await cursor.execute(QUERY, (date_from, date_to, origin, destination), prepare=True)
            return await cursor.fetchall()


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Open the pool and print when the server accepts requests."""
    async with pool:
        print("ready", flush=True)
        yield


app = Starlette(routes=[Route("/graphql", GraphQL(strawberry.Schema(query=Query)))], lifespan=lifespan)
