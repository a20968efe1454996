"""Settings of a database for other applications, which sessions of Ratesgraph replace."""

import asyncio
from datetime import UTC, date, datetime

import pytest
from psycopg.conninfo import conninfo_to_dict
from yoyo.connections import DatabaseURI

from db.migrate import HISTORY_TABLE, Backend, migrate, migration_names
from db.pool import API, INGEST, connect
from db.repositories import tokens
from tests.support.databases.roles import execute

EXPIRY = datetime(2030, 2, 1, 12, 30, tzinfo=UTC)
LIMITS = ("idle_session_timeout", "transaction_timeout")


def set_for_database(url: str, **settings: str) -> None:
    """Set the defaults of new sessions of the database."""
    name = conninfo_to_dict(url)["dbname"]
    execute(url, *(f"ALTER DATABASE {name} SET {setting} = '{value}'" for setting, value in settings.items()))


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY"])
def test_timestamps_are_read_whatever_date_style_the_database_prefers(database_url: str, style: str) -> None:
    async def create_and_list() -> list[datetime | None]:
        async with connect(database_url, API) as connection:
            await tokens.insert_token(
                connection, id="id", name="Desk", scopes=["read"], secret_sha256=bytes(32), expires_at=EXPIRY
            )
            cursor = await connection.execute(
                "SELECT '2026-02-01 10:00+02'::timestamptz, '2026-02-01'::date, 0.1::float8"
            )
            assert await cursor.fetchone() == (datetime(2026, 2, 1, 8, tzinfo=UTC), date(2026, 2, 1), 0.1)
            return [token.expires_at for token in await tokens.list_tokens(connection)]

    set_for_database(database_url, DateStyle=style, TimeZone="Pacific/Apia", extra_float_digits="-15")
    assert asyncio.run(create_and_list()) == [EXPIRY]


def test_limits_of_idle_sessions_and_transactions_are_lifted(database_url: str) -> None:
    async def show() -> list[tuple[str, ...]]:
        found = []
        for role in (API, INGEST):
            async with connect(database_url, role) as connection:
                cursor = await connection.execute(
                    "SELECT setting FROM pg_settings WHERE name = ANY(%s)", [list(LIMITS)]
                )
                found += await cursor.fetchall()
        return found

    set_for_database(database_url, **dict.fromkeys(LIMITS, "1min"))
    assert set(asyncio.run(show())) == {("0",)}


def test_limits_of_idle_sessions_and_transactions_are_lifted_for_migrations(empty_database_url: str) -> None:
    # The session with the lock is idle while others migrate.
    set_for_database(empty_database_url, DateStyle="German", **dict.fromkeys(LIMITS, "1min"))
    assert migrate(empty_database_url) == migration_names()
    assert migrate(empty_database_url) == []
    uri = DatabaseURI("postgresql+psycopg", None, None, None, None, empty_database_url, {})
    with Backend(uri, HISTORY_TABLE).connection as connection:
        cursor = connection.execute("SELECT setting FROM pg_settings WHERE name = ANY(%s)", [list(LIMITS)])
        assert set(cursor.fetchall()) == {("0",)}
