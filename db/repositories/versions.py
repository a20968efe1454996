"""Data versions: announced with every change that affects query results."""

from psycopg.rows import args_row

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("versions")


async def announce_change(connection: Connection, change: str) -> None:
    """Notify the response caches of a change when this transaction commits.

    The change is a batch with its new status (`12 APPLIED`), `tree`, `aliases` or `rates`.
    """
    await connection.execute(SQL["announce_change"], {"change": change})


async def state_fingerprint(connection: Connection) -> str:
    """Return a fingerprint of the current data; equal states have equal fingerprints."""
    async with connection.cursor(row_factory=args_row(str)) as cursor:
        await cursor.execute(SQL["state_fingerprint"])
        return (await cursor.fetchall())[0]
