"""Statistics of large markets over real HTTP: their error, and when they are exact."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psycopg
import pytest

from db.pool import API, open_pool
from db.replicas.router import ReadRouter
from tests.support.analysis.asking import FROM_SKETCHES, ask_in
from tests.support.contexts import reading_context
from tests.support.fixtures.server import Client, Json, running_server

COLUMNS = ["lows", "p2_5", "p25", "medians", "p75", "highs"]
SERIES = """
query ($lanes: [LaneInput!]!, $dateFrom: Date!, $dateTo: Date!, $interval: Interval! = DAY, $currency: String! = "USD",
       $minimumSample: Int! = 1) {
  priceSeries(lanes: $lanes, dateFrom: $dateFrom, dateTo: $dateTo, interval: $interval, currency: $currency,
              minimumSample: $minimumSample) {
    lanes {
      statisticsError counts averages lows medians highs
      p2_5: percentile(at: 2.5) p25: percentile(at: 25) p75: percentile(at: 75)
    }
  }
}
"""
RANK = """
query ($price: PriceAmount!) {
  benchmark(origin: "china_main", destination: "northern_europe", price: $price, dateFrom: "2016-01-01",
            dateTo: "2016-01-31") { count percentileRank percentileRankError }
}
"""
LARGE = {"origin": "china_main", "destination": "northern_europe"}
JANUARY = {"dateFrom": "2016-01-01", "dateTo": "2016-01-31"}
QUESTION = {**JANUARY, "interval": "DAY", "minimumSample": 3, "currency": "USD", "fallback": None}
LARGE_COUNT = 53_056
GUARANTEED, MEAN = 1 / 64, 0.004
ROUNDING = 0.01
"""The exact figure and that from sketches are each rounded to cents."""
LANES_PER_REQUEST = 100


@pytest.fixture(scope="module")
def sketch_client(reference_client: Client, module_database_url: str) -> Iterator[Client]:
    """Yield a client of a server that answers all statistics of two regions from sketches."""
    del reference_client
    with running_server(module_database_url, max_exact_prices=0) as client:
        yield client


@pytest.fixture(scope="module")
def exact_client(reference_client: Client, module_database_url: str) -> Iterator[Client]:
    """Yield a client of a server that answers all statistics from single prices."""
    del reference_client
    with running_server(module_database_url, max_exact_prices=10**9) as client:
        yield client


def find_errors(client: Client, exact: Client, lanes: Sequence[Json], **variables: object) -> list[float]:
    """Return the relative error of each figure of the lanes."""
    errors = []
    for start in range(0, len(lanes), LANES_PER_REQUEST):
        question = {"lanes": lanes[start : start + LANES_PER_REQUEST], **variables}
        answers = (server.ask(SERIES, **question)["priceSeries"]["lanes"] for server in (client, exact))
        for found, expected in zip(*answers, strict=True):
            assert (found["counts"], found["averages"]) == (expected["counts"], expected["averages"])
            assert expected["statisticsError"] == 0
            assert found["statisticsError"] == (0.016 if any(found["averages"]) else 0)
            for name in COLUMNS:
                assert [value is None for value in found[name]] == [value is None for value in expected[name]]
                errors += [
                    max(abs(value - truth) - ROUNDING, 0) / abs(truth)
                    for value, truth in zip(found[name], expected[name], strict=True)
                    if truth
                ]
    return errors


@pytest.mark.parametrize("interval", ["DAY", "MONTH"])
def test_statistics_of_all_pairs_of_regions_stay_within_their_error(
    sketch_client: Client, exact_client: Client, module_database_url: str, interval: str
) -> None:
    with psycopg.connect(module_database_url) as connection:
        slugs = [slug for (slug,) in connection.execute("SELECT key FROM locations WHERE kind = 'REGION' ORDER BY id")]
    lanes = [{"origin": origin, "destination": destination} for origin in slugs for destination in slugs]
    errors = find_errors(sketch_client, exact_client, lanes, **JANUARY, interval=interval)
    assert len(errors) > 300
    assert max(errors) <= GUARANTEED
    assert sum(errors) / len(errors) <= MEAN


@pytest.mark.parametrize("currency", ["EUR", "JPY"])
def test_statistics_in_another_currency_stay_within_their_error(demo_url: str, currency: str) -> None:
    lanes = [
        {"origin": origin, "destination": destination}
        for origin in ("china_main", "china_east_main", "asia")
        for destination in ("north_europe_main", "europe", "mediterranean")
    ]
    variables = {"dateFrom": "2026-01-01", "dateTo": "2026-06-30", "currency": currency}
    with (
        running_server(demo_url, max_exact_prices=0) as client,
        running_server(demo_url, max_exact_prices=10**9) as exact,
    ):
        known = [lane for lane in lanes if "errors" not in client.post(SERIES, {"lanes": [lane], **variables})]
        assert known
        errors = find_errors(client, exact, known, **variables, interval="WEEK")
    assert max(errors) <= GUARANTEED
    assert sum(errors) / len(errors) <= MEAN


def test_rank_in_a_large_market_stays_within_its_error(sketch_client: Client, exact_client: Client) -> None:
    errors = []
    for price in (-5, 0, 538.99, 539, 960, 960.0001, 1_209, 1_500.5, 100_500, 9_999_999):
        found, expected = (client.ask(RANK, price=price)["benchmark"] for client in (sketch_client, exact_client))
        assert found["count"] == expected["count"] == LARGE_COUNT
        assert expected["percentileRankError"] == 0
        assert abs(found["percentileRank"] - expected["percentileRank"]) <= found["percentileRankError"] + 1e-9
        errors.append(found["percentileRankError"])
    # No price is near the first and the last one.
    assert errors[0] == errors[-1] == 0
    assert 0 < max(errors) < 5


@pytest.mark.usefixtures("reference_client")
@pytest.mark.parametrize(("border", "error"), [(LARGE_COUNT, 0), (LARGE_COUNT - 1, 0.016)])
def test_statistics_are_exact_up_to_the_border(module_database_url: str, border: int, error: float) -> None:
    with running_server(module_database_url, max_exact_prices=border) as client:
        [lane] = client.ask(SERIES, lanes=[LARGE], **JANUARY, interval="MONTH")["priceSeries"]["lanes"]
    assert lane["statisticsError"] == error
    assert (lane["lows"] == [539.0]) == (error == 0)


def test_statistics_of_a_port_are_exact_for_any_number_of_prices(sketch_client: Client, exact_client: Client) -> None:
    lanes = [{"origin": "CNSGH", "destination": "northern_europe"}, {"origin": "china_main", "destination": "GBFXT"}]
    found, expected = (
        client.ask(SERIES, lanes=lanes, **JANUARY)["priceSeries"]["lanes"] for client in (sketch_client, exact_client)
    )
    assert found == expected
    assert [lane["statisticsError"] for lane in found] == [0, 0]


@pytest.mark.parametrize(
    ("stale", "error", "sample"), [("2016-01-01", 0, 1), ("0001-01-01", 0, 2), ("2016-02-01", 0.016, 3)]
)
def test_statistics_of_a_stale_month_are_exact(
    sketch_client: Client, module_database_url: str, stale: str, error: float, sample: int
) -> None:
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO stale_sketches VALUES (%s)", [stale])
        try:
            # Another question for each case, so that no answer comes from the cache.
            answer = sketch_client.ask(SERIES, lanes=[LARGE], **JANUARY, minimumSample=sample)
        finally:
            connection.execute("TRUNCATE stale_sketches")
    assert answer["priceSeries"]["lanes"][0]["statisticsError"] == error


@pytest.mark.usefixtures("reference_client")
def test_sketches_do_not_count_against_the_limit_of_prices(module_database_url: str) -> None:
    with running_server(module_database_url, max_statistics_prices=1_000, max_exact_prices=900) as client:
        [lane] = client.ask(SERIES, lanes=[LARGE], **JANUARY)["priceSeries"]["lanes"]
        assert lane["statisticsError"] == 0.016
        # The daily statistics of `averagePrices` stay exact, so their prices count.
        arguments = 'origin: "china_main", destination: "northern_europe", dateFrom: "2016-01-01", dateTo: "2016-01-31"'
        error = client.fail(f"{{ averagePrices({arguments}) {{ lowPrice }} }}")
    assert error["extensions"]["code"] == "TOO_MANY_PRICES"


@pytest.mark.usefixtures("reference_client")
def test_sketches_of_several_lanes_share_one_round_trip(module_database_url: str) -> None:
    lanes = [
        LARGE,
        {"origin": "china_main", "destination": "north_europe_main"},
        {**LARGE, "origin": "china_east_main"},
    ]

    async def count_reads(lanes: list[Json]) -> int:
        async with open_pool(module_database_url, API, max_size=4) as pool:
            context = reading_context(pool, FROM_SKETCHES)
            router = ReadRouter(pool)
            context.app.reads = router
            answer, errors = await ask_in(context, "priceSeries", {**QUESTION, "lanes": lanes})
            assert errors == []
            assert answer is not None
            assert {lane["statisticsError"] for lane in answer["lanes"]} == {0.016}
            return sum(router.take_counts())

    assert asyncio.run(count_reads(lanes)) == asyncio.run(count_reads(lanes[:1]))


@pytest.mark.usefixtures("reference_client")
def test_series_keeps_its_averages_and_the_bound_where_sketches_cannot_be_read(module_database_url: str) -> None:
    async def ask_without_sketches() -> tuple[Json | None, list[Json]]:
        async with open_pool(module_database_url, replace(API, lock_timeout=200), max_size=4) as pool:
            context = reading_context(pool, FROM_SKETCHES)
            return await ask_in(context, "priceSeries", {**QUESTION, "lanes": [LARGE], "interval": "MONTH"})

    with psycopg.connect(module_database_url) as connection:
        connection.execute("LOCK TABLE price_sketches IN ACCESS EXCLUSIVE MODE")
        answer, errors = asyncio.run(ask_without_sketches())
    assert answer is not None
    [lane] = answer["lanes"]
    assert (lane["averages"], lane["statisticsError"]) == ([1288.57], 0.016)
    assert lane["lows"] is lane["medians"] is lane["p25"] is None
    assert {"lows", "medians", "p25"} <= {error["path"][-1] for error in errors}
    assert "INTERNAL_ERROR" not in {error["extensions"]["code"] for error in errors}


@pytest.mark.usefixtures("reference_client")
def test_statistics_come_from_single_prices_where_a_sketch_is_damaged(
    module_database_url: str, exact_client: Client
) -> None:
    [expected] = exact_client.ask(SERIES, lanes=[LARGE], **JANUARY)["priceSeries"]["lanes"]
    expected_rank = exact_client.ask(RANK, price=960)["benchmark"]
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        stored = "price_sketches WHERE month = '2016-01-01'"
        connection.execute(f"CREATE TABLE undamaged AS SELECT * FROM {stored}")
        connection.execute("UPDATE price_sketches SET sketch = sketch || '\\x00' WHERE month = '2016-01-01'")
        try:
            with running_server(module_database_url, max_exact_prices=0) as client:
                [lane] = client.ask(SERIES, lanes=[LARGE], **JANUARY)["priceSeries"]["lanes"]
                rank = client.ask(RANK, price=960)["benchmark"]
        finally:
            connection.execute(f"DELETE FROM {stored}")
            connection.execute("INSERT INTO price_sketches SELECT * FROM undamaged")
            connection.execute("DROP TABLE undamaged")
    assert lane == {**expected, "statisticsError": 0.016}
    assert rank == expected_rank
