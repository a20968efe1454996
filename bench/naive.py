"""What a batch is held against: the way a small service would store it, a thousand rows at a time by INSERT.

Nothing is checked, converted or queued, and no region is added up: its averages are by lane and day, so that every question
about a region would still have to gather its ports and add them up.
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
    """Insert the lines of a CSV of one-day prices, ROWS in a transaction, each with an upsert of the sums that it changes."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(TABLES)
        for lines in _read(file):
            with connection.transaction():
                values = ", ".join(["(%s, %s, %s, %s)"] * len(lines))
                connection.execute(
                    f"INSERT INTO naive_prices VALUES {values}".encode(), [value for line in lines for value in line]
                )
                sums = _add_up(lines)
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


def _add_up(lines: list[Line]) -> list[object]:
    """Return origin, destination, day, sum and count of each lane and day in the lines, one after the other."""
    prices: dict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    for origin, destination, day, price in lines:
        prices[origin, destination, day].append(Decimal(price))
    return [value for key, values in prices.items() for value in (*key, sum(values), len(values))]
