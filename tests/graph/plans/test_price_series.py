"""Plan of price series: same results and errors as the stock executor."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.execution.document_cache import Document
from graph.schema import schema
from tests.support.schema.stock_engine import assert_same_answers, fill
from tests.support.worlds import Item, World

DAY = date(2024, 1, 1)
WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
ITEMS = [Item("AAAAA", "BBBBB", DAY, date(2024, 1, 3), Decimal(price)) for price in (100, -101, 103)]
VARIABLES = {
    "lanes": "[LaneInput!]!",
    "dateFrom": "Date!",
    "dateTo": "Date!",
    "interval": "Interval!",
    "minimumSample": "Int!",
    "currency": "String!",
}
REQUIRED = ("lanes", "dateFrom", "dateTo")
SOUND: dict[str, Any] = {
    "lanes": [{"origin": "AAAAA", "destination": "BBBBB"}, {"origin": "top", "destination": "top"}],
    "dateFrom": "2023-12-30",
    "dateTo": "2024-01-10",
    "interval": "WEEK",
    "minimumSample": 2,
    "currency": "USD",
}
UNUSUAL: dict[str, list[Any]] = {
    "lanes": [
        [],
        {"origin": "AAAAA", "destination": "BBBBB"},
        [{"origin": "nowhere", "destination": "BBBBB"}, {"origin": " aaaaa", "destination": "BBBBB"}],
        [{"origin": "AAAAA", "destination": "BBBBB", "extra": 1}],
        [{"origin": "AAAAA"}],
        [{"origin": 7, "destination": "BBBBB"}],
        [None],
        [{"origin": "AAAAA", "destination": "BBBBB"}] * 101,
        "AAAAA",
        None,
    ],
    "dateFrom": ["2024-01-1", "2034-02-01", None, 7],
    "dateTo": ["2023-01-01", "9999-12-31", "", ["2024-01-01"]],
    "interval": ["DAY", "YEAR"],
    "minimumSample": [0, 1, 3, 2**31, -1, 1.0, 1.5, True, "2", None],
    "currency": ["eur", "XXX", "", 7, None],
}
LITERALS = {
    "lanes": '[{origin: "AAAAA", destination: "BBBBB"}, {destination: "top", origin: "nowhere"}]',
    "dateFrom": '"2024-01-01"',
    "dateTo": '"2024-02-01"',
    "interval": "MONTH",
    "minimumSample": "1",
    "currency": '"USD"',
}
LANE_FIELDS = [
    *("counts", "averages", "nullReasons", "changes", "changePercents", "sufficient"),
    *("originLevelsUp", "statisticsError", "__typename", "c: counts", "... on PriceSeries { averages }", "...Lane"),
    *("origin { key }", "counts @skip(if: true)"),
]
SET_FIELDS = ["currency", "interval", "from", "to", "partial", "__typename", "f: from", "downloadUrl", "...Set"]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw a document with a `priceSeries`, and variables that mostly match it."""
    lanes = " ".join(draw(st.lists(st.sampled_from(LANE_FIELDS), min_size=1, max_size=4)))
    parts = draw(st.lists(st.sampled_from(SET_FIELDS), max_size=3))
    parts.insert(draw(st.integers(0, len(parts))), f"lanes {{ {lanes} }}")
    parts.append(draw(st.sampled_from([""] * 6 + ["more: lanes { counts }", "lanes { counts }"])))
    optional = draw(st.lists(st.sampled_from([name for name in VARIABLES if name not in REQUIRED]), unique=True))
    names = [*REQUIRED, *optional]
    as_variables = [name for name in names if draw(st.booleans())]
    arguments = ", ".join(f"{name}: {f'${name}' if name in as_variables else LITERALS[name]}" for name in names)
    defaults = {name: draw(st.sampled_from(["", "", f" = {LITERALS[name]}"])) for name in as_variables}
    declared = ", ".join(f"${name}: {VARIABLES[name]}{default}" for name, default in defaults.items())
    text = f"query {f'({declared})' if declared else ''} {{ priceSeries({arguments}) {{ {' '.join(parts)} }}"
    text += draw(st.sampled_from([" }"] * 6 + [" __typename }"]))
    if "...Set" in text:
        text += " fragment Set on PriceSeriesSet { partial s: interval }"
    if "...Lane" in text:
        text += " fragment Lane on PriceSeries { nullReasons }"
    variables = {name: SOUND[name] for name in as_variables}
    if len(as_variables) > 0 and draw(st.booleans()):
        name = draw(st.sampled_from(as_variables))
        variables[name] = draw(st.sampled_from(UNUSUAL[name]))
    if len(as_variables) > 0 and draw(st.sampled_from([False, False, False, True])):
        del variables[draw(st.sampled_from(as_variables))]
    return text, variables


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.lists(requests(), min_size=20, max_size=20))
def test_plan_of_price_series_matches_the_executor_in_data_and_errors(
    module_database_url: str, drawn: list[tuple[str, dict[str, Any]]]
) -> None:
    async def compare() -> None:
        await fill(module_database_url, WORLD, ITEMS)
        await assert_same_answers(module_database_url, drawn)

    asyncio.run(compare())


ARGUMENTS = ", ".join(f"{name}: {LITERALS[name]}" for name in REQUIRED)
FIELD = f"priceSeries({ARGUMENTS}) {{ from lanes {{ averages }} }}"
CHART = """query Chart($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval! = WEEK, $sample: Int! = 3) {
  series: priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, minimumSample: $sample) {
    currency interval from to partial ...Lanes
  }
}
fragment Lanes on PriceSeriesSet { lanes { counts averages nullReasons changes changePercents sufficient } }"""
ONE_LANE = """query ($origin: String!, $destination: String!) {
  priceSeries(lanes: [{origin: $origin, destination: $destination}], dateFrom: "2024-01-01", dateTo: "2024-01-31") {
    lanes { averages }
  }
}"""


@pytest.mark.parametrize(
    ("query", "is_planned"),
    [
        (f"{{ {FIELD} }}", True),
        (CHART, True),
        (ONE_LANE, True),
        (f"{{ {FIELD} __typename }}", False),
        (f"{{ {FIELD} b: {FIELD} }}", False),
        (f"{{ {FIELD.replace('averages', 'origin { key }')} }}", False),
        (f"{{ {FIELD.replace('averages', 'lows')} }}", False),
        (f"{{ {FIELD.replace('from lanes', 'downloadUrl lanes')} }}", False),
        (f"{{ {FIELD.replace('from lanes', 'lanes { counts } lanes')} }}", False),
        (f"{{ {FIELD.replace('lanes:', 'fallback: {maxLevels: 1}, lanes:')} }}", False),
        (f"query ($i: Interval) {{ {FIELD.replace('lanes:', 'interval: $i, lanes:')} }}", False),
    ],
)
def test_plan_of_price_series_covers_figures_of_lanes(query: str, is_planned: bool) -> None:
    document = schema.documents.get(query)
    assert isinstance(document, Document), document
    (operation,) = document.operations.values()
    assert (operation.plan is not None) is is_planned
