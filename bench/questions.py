"""The questions of the bench as GraphQL over HTTP."""

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
"""The origin and the destination of a lane by code or slug."""


def ask(places: Places, days: DateRange) -> bytes:
    """Return the body of a request for the averages of a lane."""
    return orjson.dumps({"query": QUERY, "variables": _variables(places, days)})


def ask_in_turn(places: Places, days: DateRange, count: int = 16) -> list[bytes]:
    """Return as many different questions: the days and those before and after them, a day apart.

    Who is asked the same by several at a time may answer all of them at once, which is another measurement.
    """
    shifts = (timedelta(days=number - count // 2) for number in range(count))
    return [ask(places, DateRange(days.first + shift, days.last + shift)) for shift in shifts]


def ask_by_address(places: Places, days: DateRange) -> str:
    """Return the same question as the query of an address."""
    variables = orjson.dumps(_variables(places, days)).decode()
    return urlencode({"query": QUERY, "variables": variables})


def ask_for_lanes(lanes: Sequence[Places], days: DateRange) -> bytes:
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
