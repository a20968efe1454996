"""Average prices over real HTTP: results, edge cases, a clear error for each invalid query."""

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from db.pool import INGEST, connect
from ingest.tree import change_tree
from tests.support.fixtures.database import fresh_database
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.worlds import Item, World, apply_frame, frame_of

WORLD = World(
    {"europe": None, "north_europe_main": "europe", "empty": "europe", "NLRTM": "north_europe_main", "DEHAM": "europe",
     "china_main": None, "CNSGH": "china_main"},
    {"NLRTM", "DEHAM", "CNSGH"},
)  # fmt: skip
QUERY = """
query ($from: Date!, $to: Date!, $origin: String!, $destination: String!) {
  averagePrices(dateFrom: $from, dateTo: $to, origin: $origin, destination: $destination) {
    day averagePrice priceCount
  }
}
"""


def price(destination: str, day: int, amount: str) -> Item:
    """Create a price from Shanghai for one day of January 2024."""
    return Item("CNSGH", destination, date(2024, 1, day), date(2024, 1, day), Decimal(amount))


@pytest.fixture(scope="module")
def client(postgres: str, template: str) -> Iterator[Client]:
    """A read-only server over a few prices, shared by all tests of the module."""

    async def fill(url: str) -> None:
        async with connect(url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())
            items = [price("NLRTM", 1, "100"), price("NLRTM", 1, "100.01"), price("DEHAM", 1, "100.01")]
            items += [price("NLRTM", 3, "-1.01"), price("NLRTM", 3, "0"), price("DEHAM", 3, "0.005")]
            await apply_frame(connection, frame_of(items))

    with fresh_database(postgres, template) as url:
        asyncio.run(fill(url))
        with running_server(url, max_days=400) as client:
            yield client


def ask(
    client: Client, origin: str, destination: str, first: str = "2024-01-01", last: str = "2024-01-03"
) -> list[Json]:
    """Return the days of the response."""
    variables = {"from": first, "to": last, "origin": origin, "destination": destination}
    days: list[Json] = client.ask(QUERY, **variables)["averagePrices"]
    return days


def fail(client: Client, **changes: str) -> Json:
    """Return the extensions of the only error of the query with changed variables."""
    variables = {"from": "2024-01-01", "to": "2024-01-03", "origin": "CNSGH", "destination": "europe", **changes}
    extensions: Json = client.fail(QUERY, **variables)["extensions"]
    return extensions


def test_average_prices_of_a_region_cover_its_ports_with_one_entry_per_day(client: Client) -> None:
    assert ask(client, "CNSGH", "europe") == [
        {"day": "2024-01-01", "averagePrice": 100.01, "priceCount": 3},
        {"day": "2024-01-02", "averagePrice": None, "priceCount": 0},
        {"day": "2024-01-03", "averagePrice": -0.33, "priceCount": 3},
    ]


def test_average_prices_are_null_for_fewer_than_three_prices(client: Client) -> None:
    days = ask(client, "china_main", "north_europe_main", last="2024-01-01")
    assert days == [{"day": "2024-01-01", "averagePrice": None, "priceCount": 2}]


@pytest.mark.parametrize(("origin", "destination"), [(" cnsgh ", "EUROPE"), ("China_Main", "\teurope\n")])
def test_average_prices_ignore_case_and_whitespace_in_location_keys(
    client: Client, origin: str, destination: str
) -> None:
    assert ask(client, origin, destination) == ask(client, "CNSGH", "europe")


@pytest.mark.parametrize(("origin", "destination"), [("europe", "europe"), ("europe", "CNSGH"), ("empty", "empty")])
def test_average_prices_of_locations_without_prices_are_null_with_count_zero(
    client: Client, origin: str, destination: str
) -> None:
    days = ask(client, origin, destination, last="2024-01-01")
    assert days == [{"day": "2024-01-01", "averagePrice": None, "priceCount": 0}]


def test_average_prices_return_only_selected_statistics_via_fragments_and_aliases(client: Client) -> None:
    query = """
    query ($with: Boolean!) {
      averagePrices(dateFrom: "2024-01-03", dateTo: "2024-01-03", origin: "CNSGH", destination: "europe") {
        ...Statistics @include(if: $with)
        middle: medianPrice @include(if: $with)
        __typename
      }
    }
    fragment Statistics on DailyAverage { lowPrice ... on DailyAverage { highPrice } }
    """
    assert client.ask(query, **{"with": True})["averagePrices"] == [
        {"lowPrice": -1.01, "highPrice": 0.01, "middle": 0.0, "__typename": "DailyAverage"}
    ]
    assert client.ask(query, **{"with": False})["averagePrices"] == [{"__typename": "DailyAverage"}]


def test_average_prices_accept_the_blank_that_unece_prints_in_a_code(client: Client) -> None:
    assert ask(client, " cn sgh ", "NL RTM") == ask(client, "CNSGH", "NLRTM")


def test_average_prices_of_several_lanes_equal_those_of_separate_requests(client: Client) -> None:
    fields = [
        f'a{number}: averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-03", origin: "CNSGH", destination: "{place}")'
        " { day averagePrice priceCount }"
        for number, place in enumerate(["europe", "NLRTM", "DEHAM", "europe"])
    ]
    answer = client.ask(f"{{ {' '.join(fields)} }}")
    assert [answer[f"a{number}"] for number in range(4)] == [
        ask(client, "CNSGH", place) for place in ("europe", "NLRTM", "DEHAM", "europe")
    ]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("CNSGX", "CNSGH"),
        ("north_europe", "north_europe_main"),
        ("norht_europe_main", "north_europe_main"),
        ("chinamain", "china_main"),
    ],
)
def test_average_prices_of_an_unknown_location_name_the_argument_and_suggest_keys(
    client: Client, typed: str, meant: str
) -> None:
    for argument in ("origin", "destination"):
        extensions = fail(client, **{argument: typed})
        assert extensions["code"] == "UNKNOWN_LOCATION"
        assert extensions["argument"] == argument
        assert meant in extensions["suggestions"]
        assert len(extensions["suggestions"]) <= 3


@pytest.mark.parametrize(
    "key", ["", " ", "x" * 5000, "'; DROP TABLE prices; --", "a\x00b", "\ud800", "Ελλάδα", "%", "../../etc/passwd"]
)
def test_average_prices_treat_hostile_location_keys_as_unknown_or_malformed(client: Client, key: str) -> None:
    body = {
        "query": QUERY,
        "variables": {"from": "2024-01-01", "to": "2024-01-03", "origin": key, "destination": "europe"},
    }
    answer = client.http.post("/graphql", content=json.dumps(body), headers={"Content-Type": "application/json"})
    if "\ud800" in key:
        # Half a surrogate pair is not valid text: the body is rejected.
        assert answer.status_code == 400
    else:
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNKNOWN_LOCATION"


def test_average_prices_reject_a_reversed_date_range_and_accept_one_day(client: Client) -> None:
    assert fail(client, **{"from": "2024-01-04"})["code"] == "INVALID_DATE_RANGE"
    assert len(ask(client, "CNSGH", "europe", "2024-01-03", "2024-01-03")) == 1


def test_average_prices_accept_the_maximum_date_range_and_reject_one_day_more(client: Client) -> None:
    assert len(ask(client, "CNSGH", "europe", "2024-01-01", "2025-02-03")) == 400
    extensions = fail(client, to="2025-02-04")
    assert extensions["code"] == "DATE_RANGE_TOO_LONG"
    assert extensions["maxDays"] == 400
    lane = {"origin": "CNSGH", "destination": "europe"}
    error = client.fail(QUERY, **{"from": "1974-01-01", "to": "2099-12-31"}, **lane)
    assert error["message"] == "Date range too long: 46,021 days, limit 400; request fewer days."


@pytest.mark.parametrize(
    "day", ["20160101", "2016-W01-1", "2016-02-30", "2016-1-1", "2016-01-01T00:00", "", "x", "２０１６-01-01"]
)
def test_average_prices_reject_dates_that_are_not_strict_iso_calendar_days(client: Client, day: str) -> None:
    assert fail(client, **{"from": day})["code"] == "INVALID_DATE"
    literal = QUERY.replace("query ($from: Date!, ", "query (").replace("$from", f'"{day}"')
    failure = client.fail(literal, to="2024-01-03", origin="CNSGH", destination="europe")
    assert failure["extensions"]["code"] == "INVALID_DATE"


def test_average_prices_accept_the_first_and_last_calendar_days(client: Client) -> None:
    assert len(ask(client, "CNSGH", "europe", "0001-01-01", "0001-01-02")) == 2
    assert len(ask(client, "CNSGH", "europe", "9999-12-31", "9999-12-31")) == 1
