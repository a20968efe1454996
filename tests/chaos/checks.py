"""Comparison of the database with the acknowledged batches and a plain-Python model."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg.rows import class_row

from db.pool import API, connect
from db.repositories import locations, totals
from domain.batches import BatchStatus
from domain.locations import Lane
from domain.prices import DateRange
from tests.chaos.uploads import FIRST_DAY, LAST_DAY, Batch, make_world
from tests.support.worlds import Item, by_day, by_key, days_between

Cell = tuple[str, str, date]
BATCHES = """
    SELECT b.id, b.idempotency_key AS key, b.status, b.attempts, b.accepted_count, b.created_at, b.ended_at,
           coalesce(p.observations, 0) AS observations, coalesce(p.items, 0) AS items
    FROM price_batches b
    FULL JOIN (
        SELECT batch_id, count(*) AS observations, count(DISTINCT item) AS items FROM prices GROUP BY batch_id
    ) p ON p.batch_id = b.id
    ORDER BY b.id
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A batch in the database with its observations. Without id: orphaned observations."""

    id: int | None
    key: str | None
    status: str | None
    attempts: int | None
    accepted_count: int | None
    created_at: datetime | None
    ended_at: datetime | None
    observations: int
    items: int


def list_rows(url: str) -> list[Row]:
    """Return all batches, by id."""
    with psycopg.connect(url) as connection, connection.cursor(row_factory=class_row(Row)) as cursor:
        return cursor.execute(BATCHES).fetchall()


@dataclass(frozen=True, slots=True)
class Faults:
    """Violated guarantees: each entry names the batch and the reason."""

    lost: list[str]
    duplicated: list[str]
    failed: list[str]
    wrong: list[str]
    unaccounted: list[str]


def find_faults(rows: Iterable[Row], acknowledged: Mapping[str, tuple[int, Batch]]) -> Faults:
    """Compare the acknowledged batches with the rows of the database."""
    faults = Faults([], [], [], [], [])
    found = {row.key: row for row in rows if row.key is not None}
    faults.unaccounted.extend(str(row) for row in rows if row.key not in acknowledged)
    for key, (batch_id, batch) in acknowledged.items():
        row = found.get(key)
        if row is None or row.id != batch_id:
            faults.lost.append(f"{key}: acknowledged as {batch_id}, found {row}")
            continue
        expected = len(batch.remaining)
        if row.status == BatchStatus.FAILED:
            faults.failed.append(str(row))
        elif row.status != batch.end:
            faults.wrong.append(f"{row} must be {batch.end}")
        if row.observations > expected:
            faults.duplicated.append(f"{row} must have {expected} observations")
        elif row.observations < expected or row.items != expected:
            faults.lost.append(f"{row} must have {expected} observations")
        accepted = 0 if batch.end is BatchStatus.REJECTED else len(batch.good)
        if row.accepted_count != accepted:
            faults.wrong.append(f"{row} must have accepted {accepted}")
    return faults


def model_totals(items: Iterable[Item]) -> dict[Cell, tuple[int, int]]:
    """Return (sum in cents, count) for every origin, destination and day.

    The model adds the items up in plain Python, for every pair of locations.
    """
    world = make_world()
    by_port: dict[Cell, list[int]] = defaultdict(list)
    for item in items:
        for day in days_between(item.first, item.last):
            by_port[item.origin, item.destination, day].append(int(item.price * 100))
    above = {port: [place for place in world.parents if world.is_within(place, port)] for port in world.ports}
    model: dict[Cell, tuple[int, int]] = {}
    for (origin, destination, day), cents in by_port.items():
        for start in above[origin]:
            for end in above[destination]:
                total, count = model.get((start, end, day), (0, 0))
                model[start, end, day] = (total + sum(cents), count + len(cents))
    return model


async def read_totals(url: str) -> dict[Cell, tuple[int, int]]:
    """Return the same totals from the database, as `averagePrices` reads them."""
    async with connect(url, API) as connection:
        known = by_key(await locations.list_locations(connection))
        pairs = [(origin, destination) for origin in known for destination in known]
        days = DateRange(FIRST_DAY, LAST_DAY)
        questions = [(Lane(known[origin].id, known[destination].id), days) for origin, destination in pairs]
        answers = await totals.select_day_totals(connection, questions)
    return {
        (*pair, day): (total, count)
        for pair, found in zip(pairs, answers, strict=True)
        for day, (count, total) in by_day(found, days).items()
    }


def diff_totals(expected: Mapping[Cell, tuple[int, int]], actual: Mapping[Cell, tuple[int, int]]) -> list[str]:
    """Return the differences between the two."""
    return [
        f"{cell}: {actual.get(cell)} must be {expected.get(cell)}"
        for cell in sorted({*expected, *actual})
        if expected.get(cell) != actual.get(cell)
    ]
