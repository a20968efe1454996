"""Print the weekly averages of lanes as a table, with httpx and no GraphQL library.

It shows how to wait as a busy server asks (429 and 503 with `Retry-After`), and how to handle errors by their codes. A lane
with an unknown location is reported and left out. Any other error ends the program.

Usage: python weekly_prices.py [ORIGIN:DESTINATION ...]
"""

import os
import sys
import time
from datetime import date, timedelta
from typing import Any

import httpx

URL = os.environ.get("RATESGRAPH_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("RATESGRAPH_TOKEN")
LANES = ["CNSGH:NLRTM", "china_main:north_europe_main"]
WEEKS = 12
MAX_RETRIES = 5

PERIOD = "{ dataPeriod { lastDay } }"
SERIES = """
query ($lanes: [LaneInput!]!, $dateFrom: Date!, $dateTo: Date!) {
  priceSeries(lanes: $lanes, dateFrom: $dateFrom, dateTo: $dateTo, interval: WEEK) {
    currency
    from
    lanes { averages counts }
  }
}
"""


def ask(http: httpx.Client, query: str, **variables: object) -> dict[str, Any]:
    """Return the data of a query. Exit with the code of an error other than of a lane."""
    body = {"query": query, "variables": variables}
    response, retries = http.post("/graphql", json=body), 0
    while response.status_code in (429, 503) and retries < MAX_RETRIES:
        time.sleep(float(response.headers.get("Retry-After", "1")))
        response, retries = http.post("/graphql", json=body), retries + 1
    if "json" not in response.headers.get("Content-Type", ""):
        response.raise_for_status()  # A proxy in front of the server has answered.
    answer: dict[str, Any] = response.json()
    for error in answer.get("errors", []):
        code, message = error["extensions"]["code"], error["message"]
        if code == "UNAUTHENTICATED":
            raise SystemExit("The server requires a token: set RATESGRAPH_TOKEN.")
        if code != "UNKNOWN_LOCATION":
            raise SystemExit(f"{code}: {message}")
        print(f"{code}: {message}", file=sys.stderr)
    return answer["data"] or {}


def print_weeks(names: list[str], series: dict[str, Any]) -> None:
    """Print one row per week, and the average and the number of prices of each lane."""
    known = [(name, lane) for name, lane in zip(names, series["lanes"], strict=True) if lane]
    print(f"{series['currency']}, week of", *(f"{name:>36}" for name, _ in known))
    for week, day in enumerate(series["from"]):
        figures = ((lane["averages"][week], lane["counts"][week]) for _, lane in known)
        cells = ("–" if average is None else f"{average:,.2f} ({count:,.0f})" for average, count in figures)
        print(f"{day:<12}", *(f"{cell:>36}" for cell in cells))


def main() -> None:
    """Read the weeks before the last day with prices."""
    names = sys.argv[1:] or LANES
    lanes = [dict(zip(("origin", "destination"), name.split(":"), strict=True)) for name in names]
    headers = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    with httpx.Client(base_url=URL, headers=headers, timeout=30) as http:
        period = ask(http, PERIOD)["dataPeriod"]
        if period["lastDay"] is None:
            raise SystemExit("The server has no prices yet.")
        last_day = date.fromisoformat(period["lastDay"])
        monday = last_day - timedelta(weeks=WEEKS - 1, days=last_day.weekday())
        print_weeks(names, ask(http, SERIES, lanes=lanes, dateFrom=str(monday), dateTo=str(last_day))["priceSeries"])


if __name__ == "__main__":
    main()
