"""Reference data: loaded by the real command, it is returned exactly over real HTTP."""

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import running_server

QUERY = """
query ($from: Date!, $to: Date!, $origin: String!, $destination: String!) {
  averagePrices(dateFrom: $from, dateTo: $to, origin: $origin, destination: $destination) {
    day averagePrice priceCount lowPrice highPrice medianPrice
  }
}
"""


def to_cents(number: float | None) -> float | None:
    """Round a golden figure half up to cents."""
    return None if number is None else float(Decimal(str(number)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def expected_day(golden: dict[str, Any]) -> dict[str, Any]:
    """Return a golden day as the response must contain it: no figures below three prices."""
    enough = golden["priceCount"] >= 3
    figures = {"averagePrice": "averagePrice", "lowPrice": "low", "highPrice": "high", "medianPrice": "median"}
    return {
        "day": golden["day"],
        "priceCount": golden["priceCount"],
        **{name: to_cents(golden[column]) if enough else None for name, column in figures.items()},
    }


def test_reference_prices_match_the_golden_averages_and_statistics(reference: Path, database_url: str) -> None:
    loaded = ratesgraph_in_process(
        database_url, "locations", "load", "--regions", reference / "regions.csv", "--ports", reference / "ports.csv"
    )
    assert "163 locations added" in loaded.stdout
    assert (
        "53,056 of 53,056 items"
        in ratesgraph_in_process(database_url, "prices", "load", reference / "prices.csv.gz").stdout
    )
    require_golden_lanes(reference, database_url)


def test_archived_reference_prices_match_the_golden_averages_and_statistics(
    reference: Path, database_url: str, tmp_path: Path
) -> None:
    tree: list[str | Path] = ["--regions", reference / "regions.csv", "--ports", reference / "ports.csv"]
    ratesgraph_in_process(database_url, "locations", "load", *tree)
    ratesgraph_in_process(database_url, "prices", "load", reference / "prices.csv.gz")
    archived = ratesgraph_in_process(database_url, "archive", "--before", "2016-02", "--to", tmp_path.as_uri()).stdout
    assert "53,056 prices of 1 month moved" in archived
    require_golden_lanes(reference, database_url)
    assert "All averages verified" in ratesgraph_in_process(database_url, "verify").stdout


def require_golden_lanes(reference: Path, database_url: str) -> None:
    """Compare the days of all golden lanes with the responses of a server."""
    lanes = json.loads((reference / "golden.json").read_text())
    assert len(lanes) == 28
    with running_server(database_url) as client:
        for lane in lanes:
            variables = {
                "from": lane["dateFrom"],
                "to": lane["dateTo"],
                "origin": lane["origin"],
                "destination": lane["destination"],
            }
            days = client.ask(QUERY, **variables)["averagePrices"]
            assert days == [expected_day(day) for day in lane["days"]], variables
            without_statistics = client.ask(QUERY.replace("lowPrice highPrice medianPrice", ""), **variables)
            assert without_statistics["averagePrices"] == [
                {name: day[name] for name in ("day", "averagePrice", "priceCount")} for day in days
            ]
    assert "All averages verified" in ratesgraph_in_process(database_url, "verify").stdout
