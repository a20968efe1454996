"""Synthetic world and prices, from a seeded generator: every run has the same data.

300 ports below 27 regions below 9 below 3 below the whole world; 150 of them ship to the other 150: 22,500 lanes.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from domain.locations import LocationKind, TreeEntry

PORTS = 300
ORIGINS = PORTS // 2
LEAVES = 27
ROOT = "world"
SEED = 20_160_101


def port(index: int) -> str:
    """Return the code of a port; ports below ORIGINS are origins, the others destinations."""
    letters = (index // 676, index // 26 % 26, index % 26)
    return "XP" + "".join(chr(ord("A") + letter) for letter in letters)


def region(level: int, index: int) -> str:
    """Return the slug of a region. Levels 1 (the world) to 4 have 1, 3, 9 and 27 regions."""
    return ROOT if level == 1 else f"region_{level}_{index}"


def region_of(port_index: int, level: int) -> str:
    """Return the port's region on a level."""
    return region(level, port_index % LEAVES // 3 ** (4 - level))


def tree_entries() -> list[TreeEntry]:
    """Return the tree in the format of `change_tree`."""
    regions = [
        (LocationKind.REGION, region(level, index), region(level - 1, index // 3) if level > 1 else None)
        for level in (1, 2, 3, 4)
        for index in range(3 ** (level - 1))
    ]
    ports = [(LocationKind.PORT, port(index), region_of(index, 4)) for index in range(PORTS)]
    return [TreeEntry(kind, key, f"Name of {key}", parent, "bench:1") for kind, key, parent in regions + ports]


@dataclass(frozen=True, slots=True)
class Shape:
    """Items of a batch, each valid for `days`; first days lie in the `span` days from `start`."""

    items: int
    days: int
    start: date
    span: int


def make_csv(shape: Shape, *, seed: int = SEED, busy_lane: bool = False) -> bytes:
    """Return a batch of random lanes, days and prices, as the CSV of an upload.

    `busy_lane` puts prices for every day of the span on the lane between the first origin and the first destination.
    """
    generator = np.random.default_rng(seed)
    origin = generator.integers(0, ORIGINS, shape.items)
    destination = generator.integers(ORIGINS, PORTS, shape.items)
    first = generator.integers(0, shape.span, shape.items)
    if busy_lane:
        every = np.arange(0, shape.span, shape.days)[: shape.items]
        origin[: len(every)], destination[: len(every)], first[: len(every)] = 0, ORIGINS, every
    cents = generator.integers(10_000, 1_000_000, shape.items)
    codes = pl.Series([port(index) for index in range(PORTS)])
    day = pl.lit(shape.start) + pl.duration(days=pl.col("first"))
    frame = pl.DataFrame({"origin": codes[origin], "destination": codes[destination], "first": first, "cents": cents})
    price = (pl.col("cents") / 100).alias("price")
    if shape.days == 1:
        names = {"origin": "origin_code", "destination": "destination_code"}
        frame = frame.rename(names).select(*names.values(), day.alias("day"), price)
    else:
        last = day + timedelta(days=shape.days - 1)
        frame = frame.select("origin", "destination", day.alias("date_from"), last.alias("date_to"), price)
    return frame.write_csv(float_precision=2).encode()
