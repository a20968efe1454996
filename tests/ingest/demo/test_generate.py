"""Synthetic prices: deterministic, complete at both edges, and plausible.

Lanes between main ports have an average on every day.
"""

import io
from datetime import date
from functools import lru_cache
from importlib.resources import files

import polars as pl

from ingest.demo.generate import LANES, generate_prices, main_ports
from ingest.location_files import read_ports

TODAY = date(2026, 7, 15)
PORTS = read_ports(io.BytesIO(files("ingest.demo").joinpath("ports.csv").read_bytes()), "ports.csv")


def generate() -> dict[str, pl.DataFrame]:
    """Return the demo prices by quarter."""
    return dict(generate_prices([port.key for port in PORTS], [port.parent_key or "" for port in PORTS], TODAY))


@lru_cache
def all_prices() -> pl.DataFrame:
    """Return the demo prices with parsed days and amounts."""
    frame = pl.concat(generate().values())
    return frame.with_columns(
        pl.col("date_from", "date_to").str.to_date(),
        pl.col("price").cast(pl.Float64),
        lane=pl.struct("origin", "destination"),
    )


def mean_price(origin: str, destination: str) -> float:
    """Return the mean price of a lane."""
    lane = all_prices().filter(pl.col("origin") == origin, pl.col("destination") == destination)
    return float(lane["price"].mean())  # type: ignore[arg-type]


def test_demo_prices_are_deterministic_and_cover_all_lanes_over_two_years() -> None:
    quarters, again = generate(), generate()
    assert all(quarters[label].equals(again[label]) for label in quarters)
    prices = all_prices()
    lanes = prices.select("origin", "destination").unique().rows()
    assert len(lanes) == LANES
    assert all(origin != destination for origin, destination in lanes)
    assert prices["date_from"].min() == date(2024, 7, 14)
    assert prices["date_to"].max() == TODAY


def test_demo_prices_between_main_ports_have_an_average_on_every_day() -> None:
    regions = {port.key: port.parent_key for port in PORTS}
    ports = main_ports()
    wanted = {
        (origin, destination) for origin in ports for destination in ports if regions[origin] != regions[destination]
    }
    days = (pl.col("date_to") - pl.col("date_from")).dt.total_days() + 1
    prices = all_prices().with_columns(days=days).group_by("origin", "destination").agg(pl.col("days").sum())
    counts = {(origin, destination): count for origin, destination, count in prices.rows()}
    period = (TODAY - date(2024, 7, 14)).days + 1
    # Each source holds for every day, and three are enough for an average.
    assert wanted <= counts.keys()
    assert all(counts[lane] >= 3 * period for lane in wanted)


def test_demo_prices_are_higher_on_long_lanes_and_from_asia() -> None:
    assert mean_price("CNSGH", "NLRTM") > 2 * mean_price("NLRTM", "CNSGH")
    assert mean_price("CNSGH", "USLAX") > 2 * mean_price("USLAX", "CNSGH")
    assert mean_price("CNSGH", "NLRTM") > 1.5 * mean_price("CNSGH", "SGSIN")
    assert 200 < all_prices()["price"].min() < all_prices()["price"].max() < 12_000  # type: ignore[operator]
