"""Tracing cursor: creates one span per statement, named after its SQL section.

The connections of a server use it when tracing is enabled.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Self

from psycopg import AsyncCopy, AsyncCursor

from db.sql import NAMES
from telemetry import spans

ATTRIBUTES = {"db.system.name": "postgresql"}


class TracedCursor(AsyncCursor[Any]):
    """psycopg cursor with a span per statement. Spans contain no parameters."""

    async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401
        """Execute the statement in a span."""
        with statement_span(query):
            return await super().execute(query, *args, **kwargs)

    @asynccontextmanager
    async def copy(self, statement: Any, *args: Any, **kwargs: Any) -> AsyncIterator[AsyncCopy]:  # noqa: ANN401
        """Run COPY in a span that ends with the block."""
        with statement_span(statement):
            async with super().copy(statement, *args, **kwargs) as copy:
                yield copy


def statement_span(statement: object, count: int = 1) -> AbstractContextManager[object]:
    """Return a span for a statement that runs once or for `count` parameter sets."""
    if spans.tracer is None:
        return spans.NO_SPAN
    # A statement outside the SQL files is built at run time: its text could contain values, so it is not used.
    name = NAMES.get(statement, "statement") if isinstance(statement, bytes) else "statement"
    return spans.tracer.span(name, {**ATTRIBUTES, "db.operation.batch.size": count} if count > 1 else ATTRIBUTES)
