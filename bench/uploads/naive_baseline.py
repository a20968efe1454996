"""Naive baseline of a batch: the INSERTs of a small service, a thousand rows at a time.

It validates, converts and queues nothing, and computes no sums of regions. Its averages are by lane and day, so every query
about a region would still have to find its ports and sum their prices.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

import psycopg

ROWS = 1_000
TABLES = """
CREATE TABLE naive_prices (origin text NOT NULL, destination text NOT NULL, day date NOT NULL, price numeric NOT NULL);
CREATE INDEX naive_prices_lane_day_idx ON naive_prices (origin, destination, day);
CREATE TABLE naive_averages (
    origin text, destination text, day date, price_sum numeric NOT NULL, price_count integer NOT NULL,
    PRIMARY KEY (origin, destination, day)
);
"""
Line = tuple[str, str, str, str]


def load_naively(database_url: str, file: Path) -> None:
    """Insert a CSV of one-day prices, ROWS lines per transaction, and upsert the changed sums."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(TABLES)
        for lines in _read(file):
            with connection.transaction():
                values = ", ".join(["(%s, %s, %s, %s)"] * len(lines))
                connection.execute(
                    f"INSERT INTO naive_prices VALUES {values}".encode(), [value for line in lines for value in line]
                )
                sums = _sum_by_lane(lines)
                values = ", ".join(["(%s, %s, %s, %s, %s)"] * (len(sums) // 5))
                connection.execute(
                    f"INSERT INTO naive_averages VALUES {values} ON CONFLICT (origin, destination, day) DO UPDATE"
                    " SET price_sum = naive_averages.price_sum + excluded.price_sum,"
                    " price_count = naive_averages.price_count + excluded.price_count".encode(),
                    sums,
                )


def _read(file: Path) -> Iterator[list[Line]]:
    with file.open(newline="", encoding="utf-8") as text:
        lines = csv.reader(text)
        next(lines)
        while part := [(origin, destination, day, price) for origin, destination, day, price in islice(lines, ROWS)]:
            yield part


def _sum_by_lane(lines: list[Line]) -> list[object]:
    """Return origin, destination, day, sum and count of each lane and day, as one flat list."""
    prices: dict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    for origin, destination, day, price in lines:
        prices[origin, destination, day].append(Decimal(price))
    return [value for key, values in prices.items() for value in (*key, sum(values), len(values))]
