"""Audit trail repository: newest entries first, filtered by start time, with a limit."""

from datetime import timedelta

import pytest

from db.connection import Connection
from db.repositories import audit
from db.repositories.audit import COMMAND, MAX_DETAIL_LENGTH, Action

pytestmark = pytest.mark.anyio


async def test_audit_entries_are_listed_newest_first_since_a_time_and_up_to_a_limit(connection: Connection) -> None:
    for number in range(3):
        await audit.insert_entry(connection, COMMAND, Action.REVERT, batch_id=number)
    found = await audit.list_entries(connection, since=None, limit=2)
    assert [(entry.caller, entry.action, entry.batch_id) for entry in found] == [
        ("command", "revert", 2),
        ("command", "revert", 1),
    ]
    for start, expected in ((found[0].at, [2]), (found[0].at + timedelta(microseconds=1), [])):
        assert [entry.batch_id for entry in await audit.list_entries(connection, since=start, limit=9)] == expected


async def test_audit_entry_detail_is_truncated(connection: Connection) -> None:
    await audit.insert_entry(connection, COMMAND, Action.CREATE_TOKEN, detail="x" * 10_000)
    (entry,) = await audit.list_entries(connection, since=None, limit=9)
    assert entry.detail == "x" * MAX_DETAIL_LENGTH
