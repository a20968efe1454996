"""The two forms of rows of totals: sums and counts by day, or changes."""

import psycopg

from db.connection import Connection
from db.migrate import CONTRACT
from db.repositories import totals


async def refuse_changes(connection: Connection) -> None:
    """Restore the state before `ratesgraph migrate --contract`; no row may have changes."""
    await connection.execute(
        b"ALTER TABLE price_totals ALTER COLUMN price_sums SET NOT NULL, ALTER COLUMN price_counts SET NOT NULL"
    )


async def allow_changes(connection: Connection) -> None:
    """Put the database into the state after `ratesgraph migrate --contract`."""
    await connection.execute(CONTRACT)


async def count_forms(connection: Connection) -> tuple[int, int]:
    """Return the numbers of rows by day and of rows with changes."""
    cursor = await connection.execute(b"SELECT count(price_counts), count(packed_changes) FROM price_totals")
    ((by_day, by_change),) = await cursor.fetchall()
    return by_day, by_change


def is_contracted(database_url: str) -> bool:
    """Return whether totals may have a form that older releases cannot read."""
    with psycopg.connect(database_url) as connection:
        ((can_store,),) = connection.execute(totals.SQL["can_store_changes"]).fetchall()
        return bool(can_store)
