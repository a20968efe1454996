"""Versions of the data: announced with every change of what averages and locations answer."""

from psycopg.rows import args_row

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("versions")


async def announce_change(connection: Connection, change: str) -> None:
    """Tell who keeps answers, when this transaction commits, what has changed: a batch (`12 APPLIED`) or `tree`."""
    await connection.execute(SQL["announce_change"], {"change": change})


async def state_fingerprint(connection: Connection) -> str:
    """Return a name for the state of the data as it is now; equal states have equal names."""
    async with connection.cursor(row_factory=args_row(str)) as cursor:
        await cursor.execute(SQL["state_fingerprint"])
        return (await cursor.fetchall())[0]
