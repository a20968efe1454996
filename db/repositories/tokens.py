"""API tokens: insert, find, revoke. The server defines the token format and its secret."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("tokens")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """Stored token: its public part as the ID, and a digest of the whole token.

    Attributes:
        seconds_left: Seconds until the token expires by the clock of the database, or None if it never expires.
        is_use_due: Whether a use of the token should be recorded now.
    """

    id: str
    name: str
    scopes: list[str]
    secret_sha256: bytes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    seconds_left: float | None
    is_use_due: bool


async def insert_token(
    connection: Connection,
    *,
    id: str,  # noqa: A002
    name: str,
    scopes: Sequence[str],
    secret_sha256: bytes,
    expires_at: datetime | None,
) -> None:
    """Store a token. Without `expires_at` it never expires."""
    parameters = {
        "id": id,
        "name": name,
        "scopes": list(scopes),
        "secret_sha256": secret_sha256,
        "expires_at": expires_at,
    }
    await connection.execute(SQL["insert_token"], parameters)


async def find_tokens(connection: Connection, ids: Collection[str]) -> list[ApiToken]:
    """Return the tokens that are neither revoked nor expired, in no particular order."""
    async with connection.cursor(row_factory=class_row(ApiToken)) as cursor:
        await cursor.execute(SQL["find_tokens"], {"ids": list(ids)})
        return await cursor.fetchall()


async def list_tokens(connection: Connection) -> list[ApiToken]:
    """Return all tokens, including revoked and expired ones, oldest first."""
    async with connection.cursor(row_factory=class_row(ApiToken)) as cursor:
        await cursor.execute(SQL["list_tokens"])
        return await cursor.fetchall()


async def revoke_token(connection: Connection, id: str) -> str | None:  # noqa: A002
    """Revoke a token permanently and return its name.

    Return None when no token has the ID, or when it is already revoked.
    """
    row = await (await connection.execute(SQL["revoke_token"], {"id": id})).fetchone()
    return None if row is None else str(row[0])


async def touch_tokens(connection: Connection, ids: Collection[str]) -> None:
    """Record that the tokens were used, with a resolution of ten minutes.

    A busy token therefore costs one write in ten minutes.
    """
    await connection.execute(SQL["touch_tokens"], {"ids": list(ids)})
