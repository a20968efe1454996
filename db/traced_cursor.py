"""A cursor that tells the tracer of its statements, each by the name of its section. A traced server's connections have it."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Self

from psycopg import AsyncCopy, AsyncCursor

from db.sql import NAMES
from telemetry import spans

ATTRIBUTES = {"db.system.name": "postgresql"}


class TracedCursor(AsyncCursor[Any]):
    """Psycopg's cursor, told of. Parameters are not."""

    async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401
        """Execute the statement."""
        with statement_span(query):
            return await super().execute(query, *args, **kwargs)

    @asynccontextmanager
    async def copy(self, statement: Any, *args: Any, **kwargs: Any) -> AsyncIterator[AsyncCopy]:  # noqa: ANN401
        """Copy into or out of the database."""
        with statement_span(statement):
            async with super().copy(statement, *args, **kwargs) as copy:
                yield copy


def statement_span(statement: object, count: int = 1) -> AbstractContextManager[object]:
    """Return what is entered while a statement runs, or the same one for `count` parameters."""
    if spans.tracer is None:
        return spans.NO_SPAN
    # A statement that stands in no file is put together for the moment, and may hold anything.
    name = NAMES.get(statement, "statement") if isinstance(statement, bytes) else "statement"
    return spans.tracer.span(name, {**ATTRIBUTES, "db.operation.batch.size": count} if count > 1 else ATTRIBUTES)
