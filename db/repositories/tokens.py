"""API tokens: keep them, look them up, revoke them. What a token looks like, and its secret, are the server's business."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("tokens")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is kept: by its public part, with a digest of the whole."""

    id: str
    name: str
    scopes: list[str]
    secret_sha256: bytes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


async def insert_token(
    connection: Connection,
    *,
    id: str,  # noqa: A002
    name: str,
    scopes: Sequence[str],
    secret_sha256: bytes,
    expires_at: datetime | None,
) -> None:
    """Keep a token. It never expires without `expires_at`."""
    parameters = {
        "id": id,
        "name": name,
        "scopes": list(scopes),
        "secret_sha256": secret_sha256,
        "expires_at": expires_at,
    }
    await connection.execute(SQL["insert_token"], parameters)


async def find_tokens(connection: Connection, ids: Collection[str]) -> list[ApiToken]:
    """Return those of the tokens that are neither revoked nor expired, in no particular order."""
    async with connection.cursor(row_factory=class_row(ApiToken)) as cursor:
        await cursor.execute(SQL["find_tokens"], {"ids": list(ids)})
        return await cursor.fetchall()


async def list_tokens(connection: Connection) -> list[ApiToken]:
    """Return all tokens, the oldest first; the revoked and the expired ones too."""
    async with connection.cursor(row_factory=class_row(ApiToken)) as cursor:
        await cursor.execute(SQL["list_tokens"])
        return await cursor.fetchall()


async def revoke_token(connection: Connection, id: str) -> str | None:  # noqa: A002
    """Revoke a token for good and return its name, or None when there is none with the id, or it was revoked before."""
    row = await (await connection.execute(SQL["revoke_token"], {"id": id})).fetchone()
    return None if row is None else str(row[0])


async def touch_tokens(connection: Connection, ids: Collection[str]) -> None:
    """Note that the tokens were used, to within ten minutes: so a busy token costs one write in that time."""
    await connection.execute(SQL["touch_tokens"], {"ids": list(ids)})
