"""Append-only audit trail: caller, action and time of every change."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("audit")

COMMAND = "command"
"""Caller name of the command line.

It needs no token: a user with database access may do everything.
"""
MAX_DETAIL_LENGTH = 500


class Action(StrEnum):
    """Audited actions."""

    UPLOAD = "upload"
    REVERT = "revert"
    ARCHIVE = "archive"
    DELETE_ARCHIVE = "delete archive"
    CHANGE_TREE = "change tree"
    CHANGE_ALIASES = "change aliases"
    CREATE_TOKEN = "create token"  # noqa: S105
    REVOKE_TOKEN = "revoke token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of the stored data."""

    id: int
    at: datetime
    caller: str
    action: str
    batch_id: int | None
    detail: str


async def insert_entry(
    connection: Connection, caller: str, action: Action, *, batch_id: int | None = None, detail: str = ""
) -> None:
    """Append an entry.

    Call it in the transaction of the change that it describes, so that both are committed or neither.
    """
    parameters = {"caller": caller, "action": action, "batch_id": batch_id, "detail": detail[:MAX_DETAIL_LENGTH]}
    await connection.execute(SQL["insert_entry"], parameters)


async def list_entries(connection: Connection, *, since: datetime | None, limit: int) -> list[AuditEntry]:
    """Return up to `limit` entries since a time, or of all, newest first."""
    async with connection.cursor(row_factory=class_row(AuditEntry)) as cursor:
        await cursor.execute(SQL["list_entries"], {"since": since, "limit": limit})
        return await cursor.fetchall()
