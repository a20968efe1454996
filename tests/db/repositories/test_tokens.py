"""Token repository: valid tokens only, and rare writes of the last-used time."""

from datetime import UTC, datetime, timedelta

import pytest

from db.connection import Connection
from db.repositories import tokens
from server.auth.token_management import create_token

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


async def test_token_lookup_excludes_revoked_and_expired_tokens(connection: Connection) -> None:
    now = datetime.now(UTC)
    valid, endless, expired, revoked = [
        (await create_token(connection, "x", ["read"], expires_at))[0]
        for expires_at in (now + HOUR, None, now - HOUR, now + HOUR)
    ]
    assert await tokens.revoke_token(connection, revoked) == "x"
    found = await tokens.find_tokens(connection, [valid, endless, expired, revoked, "unknown"])
    assert {token.id for token in found} == {valid, endless}
    assert len(await tokens.list_tokens(connection)) == 4


async def test_token_last_used_time_is_written_at_most_once_in_ten_minutes(connection: Connection) -> None:
    token_id, _ = await create_token(connection, "x", ["read"], None)

    async def used_at() -> datetime | None:
        (token,) = await tokens.find_tokens(connection, [token_id])
        return token.last_used_at

    assert await used_at() is None
    await tokens.touch_tokens(connection, [token_id])
    first = await used_at()
    await tokens.touch_tokens(connection, [token_id])
    assert first == await used_at() is not None
    await connection.execute("UPDATE api_tokens SET last_used_at = last_used_at - interval '11 minutes'")
    await tokens.touch_tokens(connection, [token_id])
    later = await used_at()
    assert later is not None
    assert first is not None
    assert later > first
