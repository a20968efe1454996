"""GraphQL requests of the HTTP benchmarks."""

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

import orjson

from domain.prices import DateRange

PATH = "/graphql"
FIELDS = "{ day averagePrice priceCount }"
QUERY = (
    "query Averages($from: Date!, $to: Date!, $origin: String!, $destination: String!)"
    f" {{ averagePrices(dateFrom: $from, dateTo: $to, origin: $origin, destination: $destination) {FIELDS} }}"
)
Places = tuple[str, str]
"""Origin and destination of a lane by code or slug."""


def create_body(places: Places, days: DateRange) -> bytes:
    """Return the body of a request for the averages of a lane."""
    return orjson.dumps({"query": QUERY, "variables": _variables(places, days)})


def create_bodies(places: Places, days: DateRange, count: int = 16) -> list[bytes]:
    """Return `count` distinct request bodies, whose days are shifted by a day each.

    Concurrent identical requests could be coalesced, which would be a different measurement.
    """
    shifts = (timedelta(days=number - count // 2) for number in range(count))
    return [create_body(places, DateRange(days.first + shift, days.last + shift)) for shift in shifts]


def create_query_string(places: Places, days: DateRange) -> str:
    """Return the same request as a URL query string."""
    variables = orjson.dumps(_variables(places, days)).decode()
    return urlencode({"query": QUERY, "variables": variables})


def create_lanes_body(lanes: Sequence[Places], days: DateRange) -> bytes:
    """Return the body of one request for several lanes, each under an alias."""
    fields = (
        f'lane{number}: averagePrices(dateFrom: "{days.first}", dateTo: "{days.last}", origin: "{origin}",'
        f' destination: "{destination}") {FIELDS}'
        for number, (origin, destination) in enumerate(lanes)
    )
    return orjson.dumps({"query": f"{{ {' '.join(fields)} }}"})


def _variables(places: Places, days: DateRange) -> dict[str, str]:
    origin, destination = places
    return {"from": str(days.first), "to": str(days.last), "origin": origin, "destination": destination}
