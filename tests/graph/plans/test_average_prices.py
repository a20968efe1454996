"""Plans of average prices: same results and errors as the stock executor.

The common queries have a plan.
"""

import asyncio
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import strawberry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.pool import API, Pool, open_pool
from domain.locations import Lane
from domain.prices import DayTotals
from graph.execution.document_cache import Document
from graph.schema import schema
from resolvers.context import RequestContext
from resolvers.loading import day_totals
from resolvers.loading.day_totals import LaneDays
from resolvers.loading.turns import DAYS_PER_TURN
from resolvers.locations import resolve_lanes
from tests.support.contexts import reading_context
from tests.support.schema.columns import FIELDS
from tests.support.schema.stock_engine import STOCK, assert_same_answers, fill, sort_errors, sorted_errors
from tests.support.worlds import Item, World

DAY = date(2024, 1, 1)
WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
ITEMS = [Item("AAAAA", "BBBBB", DAY, date(2024, 1, 3), Decimal(price)) for price in (100, 101, 103)]

DAYS = ["2024-01-01", "2024-01-03", "2023-12-30", "2034-02-01"]
NO_DAYS = ["2024-01-1", "20240101"]
PLACES = ["AAAAA", " bbbbb ", "top", "TOP", "nowhere", "", "AAAAB"]
SOUND = {"from": "2024-01-01", "to": "2024-01-03", "origin": "top", "destination": "BBBBB"}
VARIABLES = {"from": "Date!", "to": "Date!", "origin": "String!", "destination": "String!"}
ARGUMENTS = dict(zip(VARIABLES, ["dateFrom", "dateTo", "origin", "destination"], strict=True))

columns = st.sampled_from([*FIELDS, *(f"my_{field}: {field}" for field in FIELDS)])
selections = st.lists(
    st.one_of(
        columns,
        columns.map(lambda field: f"... on DailyAverage {{ {field} }}"),
        columns.map(lambda field: f"{field} @skip(if: true)"),
        st.just("...Entry"),
    ),
    min_size=1,
    max_size=4,
).map(" ".join)


@st.composite
def series(draw: st.DrawFn, aliases: str = "uvwxyz") -> str:
    """Draw a field `averagePrices` whose arguments are variables or literals."""
    alias = draw(st.sampled_from(["", *(f"{alias}: " for alias in aliases)]))
    values = []
    for name, argument in ARGUMENTS.items():
        literals = DAYS if VARIABLES[name] == "Date!" else PLACES
        values.append(f"{argument}: " + draw(st.just(f"${name}") | st.sampled_from(literals).map(lambda it: f'"{it}"')))
    return f"{alias}averagePrices({', '.join(values)}) {{ {draw(selections)} }}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw a document that mostly selects only average prices."""
    fields = draw(
        st.lists(
            st.one_of(
                series(),
                series(),
                series().map(lambda field: f"... on Query {{ {field} }}"),
                st.sampled_from(["...Root", "__typename", 'location(key: "top") { key }']),
            ),
            min_size=1,
            max_size=3,
        )
    )
    text = " ".join(fields)
    if "...Root" in text:
        text += f" }} fragment Root on Query {{ {draw(series('r'))}"
    if "...Entry" in text:
        text += " } fragment Entry on DailyAverage { day e: priceCount"
    used = [name for name in VARIABLES if f"${name}" in text]
    kinds = (draw(st.sampled_from([VARIABLES[name]] * 4 + [f'{VARIABLES[name]} = "{SOUND[name]}"'])) for name in used)
    declared = ", ".join(f"${name}: {kind}" for name, kind in zip(used, kinds, strict=True))
    return f"query {f'({declared})' if used else ''} {{ {text} }}"


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw a document and variables that mostly match it."""
    variables: dict[str, Any] = dict(SOUND)
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(SOUND)))
        variables[name] = draw(st.sampled_from([*DAYS, *NO_DAYS, *PLACES, None, 7, ["2024-01-01"]]))
    if draw(st.sampled_from([False, False, False, True])):
        del variables[draw(st.sampled_from(sorted(variables)))]
    return draw(documents()), variables


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.lists(requests(), min_size=20, max_size=20))
def test_fast_path_matches_the_executor_in_data_and_errors(
    module_database_url: str, drawn: list[tuple[str, dict[str, Any]]]
) -> None:
    async def compare() -> None:
        await fill(module_database_url, WORLD, ITEMS)
        await assert_same_answers(module_database_url, drawn)

    asyncio.run(compare())


PARALLEL_REQUESTS, ALIASES = 28, 30


def parallel_document(number: int) -> str:
    """Return the document of one of several parallel requests: one of its fields fails."""
    ends = [("AAAAA", "BBBBB"), ("top", "bbbbb"), ("BBBBB", "AAAAA"), ("top", "top")]
    fields = (
        f'a{alias}: averagePrices(dateFrom: "2023-12-{1 + number:02}", dateTo: "2024-01-{1 + alias:02}",'
        f' origin: "{origin}", destination: "{destination}") {{ day averagePrice priceCount }}'
        for alias, (origin, destination) in enumerate(ends[alias % len(ends)] for alias in range(ALIASES))
    )
    wrong = FIELD.replace('dateTo: "2024-01-03"', 'dateTo: "2023-01-01"')
    return f"{{ {' '.join(fields)} wrong: {wrong} }}"


@pytest.mark.parametrize(
    ("bound", "accepted"),
    [
        (day_totals.MAX_WAITING_LANES, PARALLEL_REQUESTS),
        # Each request adds 30 lanes: the fifth arrives when 120 of them wait.
        (100, 4),
        (1, 1),
        (0, 0),
    ],
)
def test_fast_path_matches_the_executor_for_concurrent_requests_and_overload(
    module_database_url: str, monkeypatch: pytest.MonkeyPatch, bound: int, accepted: int
) -> None:
    monkeypatch.setattr(day_totals, "MAX_WAITING_LANES", bound)
    documents = [parallel_document(number) for number in range(PARALLEL_REQUESTS)]
    assert all(schema.documents.get(text).operations[None].plan for text in documents)  # type: ignore[union-attr]

    async def answer_all(engine: strawberry.Schema, pool: Pool) -> list[Any]:
        shared = reading_context(pool)
        # Cached locations need no round trip, so all requests reach the queue of lanes at the same time.
        lanes = await resolve_lanes(shared, [("AAAAA", "BBBBB"), ("top", "top")])
        assert all(isinstance(lane, Lane) for lane in lanes)
        contexts = [RequestContext(shared.app, shared.caller) for _ in documents]
        results = await asyncio.gather(
            *(engine.execute(text, {}, context) for text, context in zip(documents, contexts, strict=True))
        )
        return [
            (result.data, sort_errors(text, {}, result.errors) if engine is STOCK else sorted_errors(result))
            for text, result in zip(documents, results, strict=True)
        ]

    async def compare() -> None:
        await fill(module_database_url, WORLD, ITEMS)
        async with open_pool(module_database_url, API, max_size=4) as pool:
            planned, executed = [await answer_all(engine, pool) for engine in (schema, STOCK)]
        assert planned == executed
        codes = [{error["extensions"]["code"] for error in errors} for _, errors in planned]
        assert codes == [{"INVALID_DATE_RANGE"}] * accepted + [{"INVALID_DATE_RANGE", "SERVER_BUSY"}] * (
            PARALLEL_REQUESTS - accepted
        )
        # A request is rejected as a whole.
        assert {len(errors) for _, errors in planned} <= {1, 1 + ALIASES}

    asyncio.run(compare())


def test_long_averages_are_completed_in_turns_with_other_tasks(module_database_url: str) -> None:
    long = 'averagePrices(dateFrom: "2020-01-01", dateTo: "2029-12-31", origin: "top", destination: "top") { day }'
    query = f"{{ {' '.join(f'a{number}: {long}' for number in range(12))} }}"
    iterations = 0

    async def count_iterations() -> None:
        nonlocal iterations
        while True:
            iterations += 1
            await asyncio.sleep(0)

    async def count_after_loading() -> int:
        await fill(module_database_url, WORLD, ITEMS)
        async with open_pool(module_database_url, API, max_size=1) as pool:
            context = reading_context(pool)
            document = schema.documents.get(query)
            assert isinstance(document, Document)
            plan = document.operations[None].plan
            assert plan is not None
            counter = asyncio.create_task(count_iterations())
            load, loaded_at = context.load_totals, 0

            async def load_totals(lanes: Sequence[LaneDays]) -> list[DayTotals]:
                nonlocal loaded_at
                totals = await load(lanes)
                loaded_at = iterations
                return totals

            context.load_totals = load_totals  # type: ignore[method-assign]
            data, errors = await plan.execute(plan.bind({}), context)
            counter.cancel()
        assert not errors
        assert {len(days) for days in data.values()} == {3_653}
        return iterations - loaded_at

    assert asyncio.run(count_after_loading()) >= 2 * 12 * 3_653 // (DAYS_PER_TURN + 3_653)


LITERALS = 'dateFrom: "2024-01-01", dateTo: "2024-01-03", origin: "top", destination: "BBBBB"'
FIELD = f"averagePrices({LITERALS}) {{ day }}"


@pytest.mark.parametrize(
    ("query", "is_planned"),
    [
        (f"{{ {FIELD} }}", True),
        (f"{{ a: {FIELD} b: {FIELD} }}", True),
        (f"query Named {{ ...Root }} fragment Root on Query {{ {FIELD} }}", True),
        ("query ($o: String!) { " + FIELD.replace('"top"', "$o") + " }", True),
        (f"{{ averagePrices({LITERALS}) {{ ...on DailyAverage {{ p: averagePrice lowPrice __typename }} }} }}", True),
        (f"{{ {FIELD} __typename }}", False),
        (f"{{ averagePrices({LITERALS}) @skip(if: false) {{ day }} }}", False),
        (f"{{ {FIELD} {FIELD} }}", False),
        (f"{{ ...Root a: {FIELD} ...Root }} fragment Root on Query {{ {FIELD} }}", False),
        ('query ($o: String! = "top") { ' + FIELD.replace('"top"', "$o") + " }", True),
        ('{ location(key: "top") { key } }', False),
        ("mutation { __typename }", False),
    ],
)
def test_fast_path_plans_only_operations_that_select_only_average_prices(query: str, is_planned: bool) -> None:
    document = schema.documents.get(query)
    assert isinstance(document, Document), document
    (operation,) = document.operations.values()
    assert (operation.plan is not None) is is_planned
