"""Data versions and their positions in the write-ahead log.

A version is announced with every change that affects query results.
"""

from typing import NamedTuple

from psycopg.rows import args_row

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("versions")


class Position(NamedTuple):
    """End of the write-ahead log of the primary.

    Attributes:
        replayed: What a standby reports when it has replayed all changes that were committed before, such as `0/3000DB0`.
        timeline: Number that each promotion of a standby increments.
        system: Identifier of the cluster, which a standby shares with its primary.
        tables: OIDs of the database and of a table, which a standby shares too.
    """

    replayed: str
    timeline: int
    system: str
    tables: str


class ReplicaServer(NamedTuple):
    """Server of a read replica.

    Attributes:
        is_standby: Whether it replays the changes of a primary.
        started_at: Identifies the running server: another one, or the same after a restart, has another time.
        has_feedback: Whether its primary keeps the rows that its queries need (`hot_standby_feedback`).
        has_citus: Whether it belongs to a Citus cluster.
    """

    is_standby: bool
    started_at: str
    system: str
    tables: str
    timeline: int
    has_feedback: bool
    has_citus: bool


class Replay(NamedTuple):
    """Progress of a standby: whether it has replayed a position."""

    is_standby: bool
    started_at: str
    has_replayed: bool


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


async def locate_end(connection: Connection) -> str:
    """Return the end of the primary's write-ahead log, such as `0/3000DB0`."""
    end: str = (await (await connection.execute(SQL["locate_end"])).fetchall())[0][0]
    return end


async def locate_position(connection: Connection) -> Position:
    """Return the end of the primary's write-ahead log, to be compared with a standby."""
    async with connection.cursor(row_factory=args_row(Position)) as cursor:
        await cursor.execute(SQL["locate_position"])
        return (await cursor.fetchall())[0]


async def announce_position(connection: Connection, token: str) -> str:
    """Notify all servers of the token, and return the end of the write-ahead log before it.

    A process that receives the token has received the announcements of all changes before that position.
    """
    cursor = await connection.execute(SQL["announce_position"], {"token": token})
    position: str = (await cursor.fetchall())[0][0]
    return position


async def describe_server(connection: Connection) -> ReplicaServer:
    """Return what decides whether a server can be a read replica. It runs on that server."""
    async with connection.cursor(row_factory=args_row(ReplicaServer)) as cursor:
        await cursor.execute(SQL["describe_server"])
        return (await cursor.fetchall())[0]


async def measure_replay(connection: Connection, position: Position) -> Replay:
    """Return whether a standby has replayed everything before the position.

    It runs on the standby.
    """
    async with connection.cursor(row_factory=args_row(Replay)) as cursor:
        await cursor.execute(SQL["measure_replay"], {"position": position.replayed, "timeline": position.timeline})
        return (await cursor.fetchall())[0]
