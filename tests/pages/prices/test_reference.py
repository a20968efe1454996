"""The page Prices with the reference data: its table shows the golden figures."""

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, Json
from tests.support.pages.prices import open_prices, read_table

pytestmark = pytest.mark.slow


def to_cents(amount: float) -> Decimal:
    """Round an amount half up to cents."""
    return Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def expected_row(day: Json) -> list[str]:
    """Return the cells of a golden day: day, average, prices, lowest, highest."""
    number = int(day["day"].removeprefix("2016-01-"))
    amounts = [day["averagePrice"], day["low"], day["high"]] if day["priceCount"] >= 3 else [None] * 3
    average, low, high = ("–" if amount is None else f"${to_cents(amount):,}" for amount in amounts)
    return [f"{number} Jan 2016", average, str(day["priceCount"]), low, high]


def test_table_shows_the_golden_figures(reference_client: Client, reference: Path, open_visit: VisitOpener) -> None:
    lanes = json.loads((reference / "golden.json").read_text())
    golden = next(lane for lane in lanes if lane["origin"] == "CNSGH" and lane["destination"] == "north_europe_main")
    # The last year of the data is January 2016, whatever the day of today.
    visit = open_prices(
        open_visit,
        reference_client,
        "CNSGH~north_europe_main",
        query="view=table",
        wait_for=".table th:nth-child(8)",
    )
    rows = [[row[0], row[1], row[2], row[3], row[6]] for row in read_table(visit)]
    assert rows == [expected_row(day) for day in reversed(golden["days"])]
    assert [row[7] for row in read_table(visit) if row[7]] == ["1 price: too few for an average", "no price"]
