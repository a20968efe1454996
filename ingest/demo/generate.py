"""Generator of plausible synthetic prices.

It models a base price per lane, a trend, a season, noise, thin lanes, gaps, and several sources per lane and day. The base
price grows with the distance of the lane. Exports from Asia cost more than the return trip, because ships return half empty.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import polars as pl

SEED = 20_160_101
LANES = 2_000
MONTHS = 24
VALIDITY_DAYS = 28
EARTH_RADIUS_KM = 6_371
USD_FIXED, USD_PER_KM = 400, 0.13
"""Base price of a container: handling at both ends, and the distance by sea, approximated by the great circle."""
THIN_SHARE = 0.15
GAP_SHARE = 0.06
EURO_SHARE = 0.03
UNIX_EPOCH = date(1970, 1, 1).toordinal()


def generate_prices(
    ports: Sequence[str], regions: Sequence[str], today: date, months: int = MONTHS
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (label, items) for every quarter of the last months.

    `regions` holds the region of each port. The items have the columns of `ingest.readers.price_file.Slice`. The same ports
    and day produce the same prices.
    """
    rng = np.random.default_rng(SEED)
    origin, destination, is_main = _pick_lanes(rng, ports, regions)
    base = _base_prices(regions)[origin, destination] * np.exp(rng.normal(0, 0.08, LANES))
    is_thin = (rng.random(LANES) < THIN_SHARE) & ~is_main
    sources = np.where(is_thin, rng.integers(1, 3, LANES), rng.integers(3, np.where(is_main, 5, 6), LANES))
    lane = np.repeat(np.arange(LANES), sources)
    source_level = np.exp(rng.normal(0, 0.06, len(lane)))
    # A source's first price may begin before the first month and its last may end after today, so both edges are full.
    last = today.toordinal() - UNIX_EPOCH
    first = last - round(months * 30.44)
    periods = (last - first) // VALIDITY_DAYS + 2
    begin = first - rng.integers(0, VALIDITY_DAYS, len(lane))
    trend = np.exp(np.cumsum(rng.normal(0, 0.025, periods)))

    start = begin[:, None] + VALIDITY_DAYS * np.arange(periods)[None, :]
    season = 1 + 0.12 * np.cos(2 * np.pi * (start % 365.25 - 240) / 365.25)
    noise = np.exp(rng.normal(0, 0.04, start.shape))
    price = (base[lane] * source_level)[:, None] * trend[None, :] * season * noise
    offered = ((rng.random(start.shape) > GAP_SHARE) | is_main[lane][:, None]) & (start <= last)
    in_euro = rng.random(len(lane)) < EURO_SHARE

    row, period = np.nonzero(offered)
    starts = start[row, period]
    items = pl.DataFrame({
        "origin": pl.Series(ports).gather(origin[lane[row]]),
        "destination": pl.Series(ports).gather(destination[lane[row]]),
        "date_from": pl.Series(np.maximum(starts, first), dtype=pl.Int32).cast(pl.Date),
        "date_to": pl.Series(np.minimum(starts + VALIDITY_DAYS - 1, last), dtype=pl.Int32).cast(pl.Date),
        "price": np.round(price[row, period], 2),
        "currency": np.where(in_euro[row], "EUR", "USD"),
    })  # fmt: skip
    quarter = pl.format("{} Q{}", pl.col("date_from").dt.year(), pl.col("date_from").dt.quarter())
    parts = items.with_columns(quarter=quarter).partition_by("quarter", as_dict=True, include_key=False)
    for (label,), part in sorted(parts.items()):
        yield str(label), part.cast(pl.String).with_row_index("item", offset=1)


def main_ports() -> list[str]:
    """Return the main ports, which users are likely to query first.

    Every lane between two of them in different regions has an average on every day.
    """
    return [port["code"] for port in _read_table("main_ports.csv")]


def _read_table(name: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(files("ingest.demo").joinpath(name).read_text(encoding="utf-8")))


def _pick_lanes(
    rng: np.random.Generator, ports: Sequence[str], regions: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return LANES distinct lanes, and which of them are between main ports.

    All lanes between main ports are among them. Of the others, some ports are much busier, as in reality.
    """
    count = len(ports)
    is_main_port = np.isin(ports, main_ports())
    elsewhere = np.asarray(regions)[:, None] != np.asarray(regions)[None, :]
    main = np.flatnonzero(is_main_port[:, None] & is_main_port[None, :] & elsewhere)
    weight = rng.permutation(1 / np.arange(1, count + 1) ** 1.2)
    chance = np.outer(weight, weight)
    np.fill_diagonal(chance, 0)
    chance.ravel()[main] = 0
    others = rng.choice(count * count, LANES - len(main), replace=False, p=(chance / chance.sum()).ravel())
    origin, destination = np.divmod(np.concatenate([main, others]), count)
    return origin, destination, np.arange(LANES) < len(main)


def _base_prices(regions: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the base price in US dollars for each pair of ports, by their regions."""
    areas = {area["region"]: area for area in _read_table("areas.csv")}
    latitude, longitude, exports = (
        np.array([float(areas[region][column]) for region in regions])
        for column in ("latitude", "longitude", "exports")
    )
    price: npt.NDArray[np.float64] = USD_FIXED + USD_PER_KM * _great_circle_km(
        np.radians(latitude), np.radians(longitude)
    )
    price *= exports[:, None] / np.sqrt(exports)[None, :]
    return price


def _great_circle_km(latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the distances between all points by the haversine formula.

    The arguments are radians.
    """
    half_latitude = (latitude[:, None] - latitude[None, :]) / 2
    half_longitude = (longitude[:, None] - longitude[None, :]) / 2
    chord = np.sin(half_latitude) ** 2 + np.outer(np.cos(latitude), np.cos(latitude)) * np.sin(half_longitude) ** 2
    distance: npt.NDArray[np.float64] = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(chord))
    return distance
