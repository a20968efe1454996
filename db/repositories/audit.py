"""The audit trail: who has changed what, and when. Nothing here updates or removes an entry."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("audit")

COMMAND = "command"
"""Who it is that works at the command line: whoever can reach the database may do everything."""
MAX_DETAIL_LENGTH = 500


class Action(StrEnum):
    """What can be done that leaves an entry."""

    UPLOAD = "upload"
    REVERT = "revert"
    CHANGE_TREE = "change tree"
    CREATE_TOKEN = "create token"  # noqa: S105
    REVOKE_TOKEN = "revoke token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of what the database holds."""

    id: int
    at: datetime
    caller: str
    action: str
    batch_id: int | None
    detail: str


async def insert_entry(
    connection: Connection, caller: str, action: Action, *, batch_id: int | None = None, detail: str = ""
) -> None:
    """Append an entry. Call it in the transaction of what it tells of, so that neither is there without the other."""
    parameters = {"caller": caller, "action": action, "batch_id": batch_id, "detail": detail[:MAX_DETAIL_LENGTH]}
    await connection.execute(SQL["insert_entry"], parameters)


async def list_entries(connection: Connection, *, since: datetime | None, limit: int) -> list[AuditEntry]:
    """Return up to `limit` entries since a time, or of all, newest first."""
    async with connection.cursor(row_factory=class_row(AuditEntry)) as cursor:
        await cursor.execute(SQL["list_entries"], {"since": since, "limit": limit})
        return await cursor.fetchall()
