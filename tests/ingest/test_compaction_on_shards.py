"""Compaction runs once on each shard, with the result of compaction on a whole table."""

from datetime import date, timedelta

import pytest

from db.administration.shards import are_totals_distributed, run_on_shards
from db.connection import Connection
from db.errors import DatabaseError, NodeUnavailable
from db.repositories import totals
from db.repositories.totals import execute_at_once
from domain.compaction import KeyRange
from domain.locations import Lane
from domain.prices import DateRange, DayTotals
from ingest.compact import ALL_ORIGINS
from tests.support.faults.shards import CATALOGS

pytestmark = pytest.mark.anyio

START = (0, 0, date.min)
"""Key before all others."""
MONTHS = [date(2024, month, 1) for month in (1, 2, 3)]
DAYS = DateRange(MONTHS[0], date(2024, 3, 31))
LANES = [Lane(origin, destination) for origin in range(1, 8) for destination in (1, 2)]
SHARDED = """
CREATE TABLE price_totals_100 () INHERITS (price_totals);
CREATE TABLE price_totals_101 () INHERITS (price_totals);
"""
INSERT = (
    "INSERT INTO {} (origin, destination, month, first_day, price_sums, price_counts) VALUES (%s, %s, %s, %s, %s, %s)"
)


async def fill(connection: Connection, *, is_sharded: bool) -> None:
    """Insert one to five partial sums a key, in the shard of its origin."""
    if is_sharded:
        await connection.execute(CATALOGS.encode())
        await connection.execute(SHARDED.encode())
    for number, lane in enumerate(LANES):
        table = f"price_totals_{100 + lane.origin % 2}" if is_sharded else "price_totals"
        for month in MONTHS:
            for part in range(1 + (number + month.month) % 5):
                sums, counts = [100 * number + part, 0, 7], [part + 1, 0, 1]
                values = [*lane, month, month + timedelta(part), sums, counts]
                await connection.execute(INSERT.format(table).encode(), values)


async def read(connection: Connection) -> list[DayTotals]:
    return await totals.select_day_totals(connection, [(lane, DAYS) for lane in LANES])


async def count_rows(connection: Connection) -> list[tuple[int, int]]:
    """Return the numbers of rows of each key, with the numbers of keys."""
    cursor = await connection.execute(
        "SELECT n, count(*) FROM (SELECT count(*) AS n FROM price_totals GROUP BY origin, destination, month) AS k"
        " GROUP BY n ORDER BY n"
    )
    return [(rows, keys) for rows, keys in await cursor.fetchall()]


@pytest.mark.parametrize("max_keys", [1, 2, 100])
@pytest.mark.parametrize("is_sharded", [False, True])
async def test_compaction_merges_the_rows_of_each_key_and_changes_no_sum(
    connection: Connection, max_keys: int, *, is_sharded: bool
) -> None:
    await fill(connection, is_sharded=is_sharded)
    before = await read(connection)
    execute = run_on_shards if is_sharded else execute_at_once
    keys, merged = KeyRange(START, ALL_ORIGINS, max_rows=2, max_keys=max_keys, max_merged=1_000), 0
    while step := await totals.compact_keys(connection, keys, execute=execute):
        assert step[0] > keys.after
        keys, merged = keys._replace(after=step[0]), merged + step[1]
    assert await read(connection) == before
    counts = await count_rows(connection)
    assert [rows for rows, _ in counts] == [1, 2]
    assert sum(key_count for _, key_count in counts) == len(LANES) * len(MONTHS)
    assert merged == sum(
        parts for parts in range(3, 6) for n in range(len(LANES)) for m in MONTHS if 1 + (n + m.month) % 5 == parts
    )
    if is_sharded:
        cursor = await connection.execute("SELECT count(*) FROM ONLY price_totals")
        assert await cursor.fetchone() == (0,)
        cursor = await connection.execute("SELECT DISTINCT origin % 2 FROM price_totals_101")
        assert await cursor.fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("failed to connect to db2:5432: Connection refused", NodeUnavailable),
        ("query result unavailable", NodeUnavailable),
        ("permission denied for table price_totals_101", DatabaseError),
    ],
)
async def test_failure_on_a_shard_is_an_error_that_names_it(
    connection: Connection, reason: str, expected: type[DatabaseError]
) -> None:
    await fill(connection, is_sharded=True)
    await connection.execute(
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '{reason}'; END $$;"
        " CREATE TRIGGER refuse BEFORE DELETE ON price_totals_101 EXECUTE FUNCTION refuse()".encode()
    )
    keys = KeyRange(START, ALL_ORIGINS, max_rows=1, max_keys=10, max_merged=1_000)
    with pytest.raises(expected, match=f"Shard 101 of the totals: {reason}") as caught:
        await totals.compact_keys(connection, keys, execute=run_on_shards)
    assert type(caught.value) is expected


async def test_totals_of_a_database_without_citus_are_not_distributed(connection: Connection) -> None:
    assert not await are_totals_distributed(connection)
