"""Query string of a series download, and the GraphQL operation that answers it."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from server.http.errors import HttpError

MAX_PERCENTILES = 20
MAX_FIELDS = 200
"""Maximum number of parameters in a query string: 100 lanes and the others."""
LANE_SEPARATOR = ":"
NUMBERS = {"minimumSample": int, "maxLevels": int, "coverage": float}
TEXTS = {"dateFrom", "dateTo", "interval", "currency"}
REQUIRED = ("lane", "dateFrom", "dateTo")
DOCUMENT = """
query Series($lanes: [LaneInput!]!, $dateFrom: Date!, $dateTo: Date!, $interval: Interval! = DAY,
             $minimumSample: Int! = 3, $currency: String! = "USD", $fallback: FallbackInput) {
  priceSeries(lanes: $lanes, dateFrom: $dateFrom, dateTo: $dateTo, interval: $interval, minimumSample: $minimumSample,
              currency: $currency, fallback: $fallback) {
    currency from to partial
    lanes {
      origin { key } destination { key } counts averages nullReasons changes changePercents {percentiles}
    }
  }
}
"""


class SeriesRequest(NamedTuple):
    """Operation of a download, its requested lanes, and its percentiles by response name."""

    document: str
    variables: dict[str, Any]
    lanes: list[tuple[str, str]]
    percentiles: Mapping[str, float]


def parse_series_request(query_string: bytes) -> SeriesRequest:
    """Return the operation for a query string. Raise HttpError (BAD_PARAMETER)."""
    try:
        pairs = parse_qsl(query_string.decode("ascii"), True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        message = f"The query string is malformed, or has more than {MAX_FIELDS} parameters."
        raise HttpError("BAD_PARAMETER", message) from error
    lanes = [_parse_lane(value) for name, value in pairs if name == "lane"]
    values = {name: value for name, value in pairs if name != "lane"}
    if len(lanes) + len(values) < len(pairs):
        repeated, _ = Counter(name for name, _ in pairs if name != "lane").most_common(1)[0]
        raise HttpError(
            "BAD_PARAMETER", f"The parameter `{repeated[:63]}` is given twice; only `lane` may be repeated."
        )
    if unknown := values.keys() - NUMBERS.keys() - TEXTS - {"percentiles"}:
        known = ", ".join(sorted([*NUMBERS, *TEXTS, "lane", "percentiles"]))
        raise HttpError("BAD_PARAMETER", f"Unknown parameter `{min(unknown)[:63]}`; known are {known}.")
    for name in REQUIRED:
        if not (lanes if name == "lane" else values.get(name)):
            raise HttpError("BAD_PARAMETER", f"The parameter `{name}` is missing.")
    variables: dict[str, Any] = {name: values[name] for name in TEXTS if values.get(name)}
    if "interval" in variables:
        variables["interval"] = variables["interval"].upper()
    numbers = {name: _parse_number(name, values[name]) for name in NUMBERS if values.get(name)}
    if "minimumSample" in numbers:
        variables["minimumSample"] = numbers["minimumSample"]
    if fallback := {name: numbers[name] for name in ("maxLevels", "coverage") if name in numbers}:
        variables["fallback"] = fallback
    variables["lanes"] = [{"origin": origin, "destination": destination} for origin, destination in lanes]
    percentiles = _parse_percentiles(values.get("percentiles", ""))
    selection = " ".join(f"{name}: percentile(at: {at!r})" for name, at in percentiles.items())
    if percentiles:
        selection += " statisticsError"
    return SeriesRequest(DOCUMENT.replace("{percentiles}", selection), variables, lanes, percentiles)


def _parse_lane(text: str) -> tuple[str, str]:
    origin, separator, destination = text.partition(LANE_SEPARATOR)
    if not separator:
        raise HttpError("BAD_PARAMETER", "`lane` must be `ORIGIN:DESTINATION`, such as `CNSGH:north_europe_main`.")
    return origin, destination


def _parse_number(name: str, text: str) -> float:
    try:
        number: float = NUMBERS[name](_check_digits(text))
    except ValueError as error:
        raise HttpError("BAD_PARAMETER", f"`{name}` must be a number.") from error
    if not math.isfinite(number):
        raise HttpError("BAD_PARAMETER", f"`{name}` must be a finite number.")
    return number


def _check_digits(text: str) -> str:
    """Return the text of a number.

    Raise ValueError for underscores and the digits of other scripts, which Python reads.
    """
    if "_" in text or not text.isascii():
        raise ValueError("not the digits 0 to 9")
    return text


def _parse_percentiles(text: str) -> dict[str, float]:
    """Return the percentiles by their response names: `p2_5` for 2.5."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > MAX_PERCENTILES:
        raise HttpError(
            "BAD_PARAMETER", f"`percentiles` has {len(parts)} numbers, at most {MAX_PERCENTILES} are allowed."
        )
    found: dict[str, float] = {}
    for part in parts:
        try:
            # Adding zero removes the sign of a negative zero.
            at = float(_check_digits(part)) + 0.0
        except ValueError:
            at = math.nan
        if not 0 <= at <= 100:
            raise HttpError("BAD_PARAMETER", "`percentiles` must be numbers from 0 to 100, separated by commas.")
        # The shortest decimal, so that no two percentiles have the same name.
        found["p" + repr(at).removesuffix(".0").replace(".", "_").replace("-", "_")] = at
    return found
