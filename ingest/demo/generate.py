"""Generator of plausible synthetic prices.

It models a base price per lane, a trend, a season, noise, thin lanes, gaps, and several sources per lane and day.
"""

from collections.abc import Iterator
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

SEED = 20_160_101
LANES = 2_000
MONTHS = 24
VALIDITY_DAYS = 28
THIN_SHARE = 0.15
GAP_SHARE = 0.06
EURO_SHARE = 0.03
UNIX_EPOCH = date(1970, 1, 1).toordinal()


def generate_prices(ports: list[str], today: date) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (label, items) for every quarter of the last MONTHS months.

    The items have the columns of `ingest.readers.price_file.Slice`. The same ports and day produce the same prices.
    """
    rng = np.random.default_rng(SEED)
    origin, destination = _pick_lanes(rng, len(ports))
    base = np.exp(rng.normal(7.4, 0.45, LANES))
    sources = np.where(rng.random(LANES) < THIN_SHARE, rng.integers(1, 3, LANES), rng.integers(3, 6, LANES))
    lane = np.repeat(np.arange(LANES), sources)
    source_level = np.exp(rng.normal(0, 0.06, len(lane)))
    # A source's first price may begin before the first month and its last may end after today, so both edges are full.
    last = today.toordinal() - UNIX_EPOCH
    first = last - round(MONTHS * 30.44)
    periods = (last - first) // VALIDITY_DAYS + 2
    begin = first - rng.integers(0, VALIDITY_DAYS, len(lane))
    trend = np.exp(np.cumsum(rng.normal(0, 0.025, periods)))

    start = begin[:, None] + VALIDITY_DAYS * np.arange(periods)[None, :]
    season = 1 + 0.12 * np.cos(2 * np.pi * (start % 365.25 - 240) / 365.25)
    noise = np.exp(rng.normal(0, 0.04, start.shape))
    price = (base[lane] * source_level)[:, None] * trend[None, :] * season * noise
    offered = (rng.random(start.shape) > GAP_SHARE) & (start <= last)
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


def _pick_lanes(rng: np.random.Generator, ports: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return LANES distinct lanes; some ports are much busier than others, as in reality."""
    weight = rng.permutation(1 / np.arange(1, ports + 1) ** 1.2)
    chance = np.outer(weight, weight)
    np.fill_diagonal(chance, 0)
    chosen = rng.choice(ports * ports, LANES, replace=False, p=(chance / chance.sum()).ravel())
    origin, destination = np.divmod(chosen, ports)
    return origin, destination
