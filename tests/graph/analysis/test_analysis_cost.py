"""Cost of the questions of analysts: what statistics, buckets and pages of lanes add to it."""

import pytest

from db.pool import API, open_pool
from server.app import create_schema
from server.config.settings import Settings
from tests.support.contexts import reading_context

DAYS = 31
LANE = '{ origin: "CNSGH", destination: "NLRTM" }'


def series(selection: str, lanes: int = 1, arguments: str = "") -> str:
    """Return a query of series of January."""
    return (
        f'{{ priceSeries(lanes: [{LANE * lanes}], dateFrom: "2016-01-01", dateTo: "2016-01-31"{arguments})'
        f" {{ lanes {{ {selection} }} }} }}"
    )


ONE = 4 + DAYS + 1 + 1
"""A lane of averages: a tenth of the days, the buckets, the lane itself and the answer."""
LIST = 5 + 4
"""A list of statistics: its computation, and a tenth of its entries."""


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        (series("averages"), ONE),
        (series("averages", lanes=3), 3 * (ONE - 1) + 1),
        (series("averages", arguments=", interval: MONTH"), ONE - DAYS + 1),
        (series("averages", arguments=", fallback: {}"), 4 * (4 + DAYS) + 2),
        (series("lows"), ONE + DAYS + LIST),
        (series("lows statisticsError"), ONE + DAYS + LIST + 3),
        (series("lows highs a: percentile(at: 1)"), ONE + DAYS + 3 * LIST),
        (series("lows", arguments=", interval: MONTH"), ONE - DAYS + 1 + DAYS + 5 + 1),
        (series("buckets { average }"), ONE + DAYS),
        (series("buckets { low }"), ONE + DAYS + DAYS + 3 * DAYS),
        (series("buckets { low median a: percentile(at: 1) }"), ONE + DAYS + DAYS + 3 * 3 * DAYS),
        ("{ lanes(first: 10) { totalCount } }", 400 + 10 * 8),
        ("{ lanes(last: 10) { edges { node { firstDay } } } }", 400 + 10 * 8),
        ('{ coverage(origin: "CNSGH", destination: "NLRTM") { firstDay } }', 400 + 1),
    ],
)
@pytest.mark.anyio
async def test_cost_of_a_question_grows_with_the_statistics_that_it_computes(
    database_url: str, query: str, cost: int
) -> None:
    async with open_pool(database_url, API, max_size=1) as pool:
        context = reading_context(pool)
        result = await create_schema(Settings()).execute_operation(
            query, {}, None, context, only_queries=True, only_cost=True
        )
    assert result.errors == []
    assert result.estimate is not None
    assert result.estimate.entries == cost
