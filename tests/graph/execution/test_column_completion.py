"""Column completion: same lists as the stock executor builds from objects.

This holds for every selection.
"""

import asyncio
from datetime import date, timedelta
from typing import Any

import strawberry
from hypothesis import given
from hypothesis import strategies as st

from domain.prices import DailyAverages, DateRange
from graph.columns import ColumnarList
from graph.execution.document_cache import MAX_VALIDATION_ERRORS
from graph.execution.executable_schema import Schema
from graph.types.averages import DailyAverage, to_columns
from tests.support.contexts import ADMITTED
from tests.support.schema.columns import FIELDS

FIRST = date(2024, 2, 28)

shown: list[DailyAverages] = []


@strawberry.type
class FromColumns:
    @strawberry.field(graphql_type=list[DailyAverage] | None)  # type: ignore[untyped-decorator]
    async def series(self) -> ColumnarList:
        return to_columns(shown[-1])


@strawberry.type
class FromObjects:
    @strawberry.field
    async def series(self) -> list[DailyAverage] | None:
        answer = shown[-1]
        rows = zip(
            answer.days.days(), answer.averages, answer.counts, answer.lows, answer.highs, answer.medians, strict=True
        )
        names = ("day", "average_price", "price_count", "low_price", "high_price", "median_price")
        return [DailyAverage(**dict(zip(names, row, strict=True))) for row in rows]


fast, stock = Schema(query=FromColumns), strawberry.Schema(query=FromObjects)


def averages(length: int) -> st.SearchStrategy[DailyAverages]:
    """Return a strategy of averages for a number of days."""
    price = st.lists(
        st.none() | st.floats(-1e7, 1e7).map(lambda value: round(value, 2)), min_size=length, max_size=length
    )
    days = DateRange(FIRST, FIRST + timedelta(days=length - 1))
    counts = st.lists(st.integers(0, 1_000), min_size=length, max_size=length)
    return st.builds(DailyAverages, st.just(days), price, counts, price, price, price)


fields = st.tuples(
    st.none() | st.sampled_from(["a", "b", "c"]),
    st.sampled_from(FIELDS),
    st.sampled_from(["", " @include(if: $yes)", " @skip(if: $yes)", " @include(if: $no)", " @skip(if: false)"]),
).map(lambda part: f"{f'{part[0]}: ' if part[0] else ''}{part[1]}{part[2]}")
selections = st.recursive(
    st.lists(fields, min_size=1, max_size=4).map(" ".join),
    lambda inner: st.one_of(
        inner.map(lambda text: f"... on DailyAverage {{ {text} }}"),
        inner.map(lambda text: f"... @include(if: $yes) {{ {text} }}"),
        st.tuples(inner, inner).map(" ".join),
        inner.map(lambda text: f"{text} ...Again"),
    ),
    max_leaves=4,
)


@given(st.integers(1, 5).flatmap(averages), selections, fields, st.booleans())
def test_column_completion_matches_the_stock_executor(
    answer: DailyAverages, selection: str, again: str, yes: bool
) -> None:
    shown[:] = [answer]
    query = (
        f"query ($yes: Boolean!, $no: Boolean = false) {{ one: series {{ {selection} }} two: series {{ {again} }} }}"
    )
    if "...Again" in selection:
        query += f" fragment Again on DailyAverage {{ {again} }}"
    variables: dict[str, Any] = {"yes": yes}
    expected = asyncio.run(stock.execute(query, variables))
    got = asyncio.run(fast.execute(query, variables, ADMITTED))
    assert got.data == expected.data
    # Of the validation errors of a document, the first one is enough.
    messages = ([error.message for error in result.errors or ()] for result in (got, expected))
    assert len({tuple(found[:MAX_VALIDATION_ERRORS]) for found in messages}) == 1
