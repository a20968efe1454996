"""Servers and databases that cannot be used: versions, encodings, read-only defaults."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db.migrate import migrate, migration_names
from db.pool import API, connect
from db.requirements import Work, check_database
from tests.support.databases.relays import running_relay
from tests.support.databases.roles import NUMBERS, created_role, execute, find_reason, suggested_sql


@pytest.mark.parametrize("setting", ["ROLE", "DATABASE"])
def test_read_only_default_is_explained(database_url: str, setting: str) -> None:
    database = conninfo_to_dict(database_url)["dbname"]
    with created_role(database_url) as role:
        execute(database_url, f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"')
        owner = f'ROLE "{role}"' if setting == "ROLE" else f"DATABASE {database}"
        execute(database_url, f"ALTER {owner} SET default_transaction_read_only = on")
        url = make_conninfo(database_url, user=role)
        reason = find_reason(url, Work.CHANGE)
        assert reason.startswith("transactions are read-only by default (default_transaction_read_only).")
        with psycopg.connect(
            database_url, autocommit=True, options="-cdefault_transaction_read_only=off"
        ) as connection:
            for statement in suggested_sql(reason):
                connection.execute(statement.encode())
        asyncio.run(check_database(url, Work.CHANGE))
        with psycopg.connect(
            database_url, autocommit=True, options="-cdefault_transaction_read_only=off"
        ) as connection:
            connection.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only".encode())


def test_read_only_option_of_the_url_is_explained(database_url: str) -> None:
    url = make_conninfo(database_url, options="-cdefault_transaction_read_only=on")
    asyncio.run(check_database(url, Work.READ))
    assert find_reason(url, Work.CHANGE) == (
        "the options of the URL, or PGOPTIONS, make transactions read-only. Remove default_transaction_read_only from them."
    )


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_database_in_another_encoding_is_refused_with_the_sql_to_create_one(postgres: str, encoding: str) -> None:
    name = f"Encoded {next(NUMBERS)}"
    execute(postgres, f"CREATE DATABASE \"{name}\" ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        reason = find_reason(make_conninfo(postgres, dbname=name), Work.READ)
        assert reason.startswith(f"its encoding is {encoding}, and Ratesgraph requires UTF8.")
        execute(postgres, *suggested_sql(reason))
        assert migrate(make_conninfo(postgres, dbname=f"{name}_utf8")) == migration_names()
    finally:
        execute(postgres, f'DROP DATABASE "{name}"', f'DROP DATABASE IF EXISTS "{name}_utf8"')


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_encoding_that_a_role_prefers_is_not_used(database_url: str, encoding: str) -> None:
    with created_role(database_url) as role:
        execute(
            database_url,
            f"ALTER ROLE \"{role}\" SET client_encoding = '{encoding}'",
            f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"',
        )
        url = make_conninfo(database_url, user=role)
        asyncio.run(check_database(url, Work.CHANGE))

        async def read_encoding() -> str:
            async with connect(url, API) as connection:
                return connection.info.encoding

        assert asyncio.run(read_encoding()) == "utf-8"


def test_server_that_is_too_old_is_refused(database_url: str) -> None:
    known = conninfo_to_dict(database_url)
    with psycopg.connect(database_url) as connection:
        version = connection.info.parameter_status("server_version") or ""
    with running_relay(Path(str(known["host"])) / ".s.PGSQL.5432") as relay:
        url = make_conninfo(database_url, host="127.0.0.1", port=relay.port, sslmode="disable")
        asyncio.run(check_database(url, Work.CHANGE))
        old = "14.9".ljust(len(version), "0")
        relay.replacements = {f"server_version\0{version}".encode(): f"server_version\0{old}".encode()}
        assert find_reason(url, Work.READ) == (
            f"the server runs PostgreSQL {old}, and Ratesgraph supports 15 to 18. Upgrade the server, or name another one"
            " in the URL."
        )
