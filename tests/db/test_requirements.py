"""Databases, schemas and roles that cannot be used: the suggested SQL helps."""

import asyncio
import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import DuplicateTable

from db.errors import DatabaseUnusable, MigrationNeeded
from db.migrate import created_tables, migrate, migration_names
from db.pool import API, connect
from db.repositories.access import SQL
from db.requirements import Work, check_database
from tests.support.databases.relays import running_relay
from tests.support.waiting import eventually

NUMBERS = itertools.count()


def find_reason(url: str, work: Work) -> str:
    """Return the sentence about a database that cannot be used, without its beginning."""
    with pytest.raises(DatabaseUnusable) as caught:
        asyncio.run(check_database(url, work))
    beginning, found, reason = str(caught.value).partition(f" cannot be used as user {conninfo_to_dict(url)['user']}: ")
    assert beginning.startswith(f"The database {conninfo_to_dict(url)['dbname']} at ")
    assert found
    return reason


def execute(url: str, *statements: str) -> None:
    """Execute statements as the superuser."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def suggested_sql(reason: str) -> list[str]:
    """Return the statements in a sentence."""
    return re.findall(r"(?:ALTER|CREATE|GRANT) [^;]+;", reason)


@contextmanager
def created_role(url: str, options: str = "") -> Iterator[str]:
    """Create a role whose name needs quoting, and drop it with everything that depends on it."""
    name = f"App {next(NUMBERS)}"
    execute(url, f'CREATE ROLE "{name}" LOGIN {options}')
    try:
        yield name
    finally:
        execute(url, f'DROP OWNED BY "{name}" CASCADE; DROP ROLE "{name}"')


@pytest.fixture
def role(empty_database_url: str) -> Iterator[str]:
    """A role without any privilege, for one test."""
    with created_role(empty_database_url) as name:
        yield name


def check_until_solved(superuser_url: str, url: str, work: Work, causes: list[str]) -> None:
    """Check that each cause is found in turn, and solved by the SQL of its sentence."""
    for cause in causes:
        reason = find_reason(url, work)
        assert reason.startswith(cause)
        execute(superuser_url, *suggested_sql(reason))
    asyncio.run(check_database(url, work))


@pytest.mark.parametrize("path", ["", "nowhere", '"No Where", "$user", nowhere'])
def test_search_path_without_a_schema_is_explained(empty_database_url: str, role: str, path: str) -> None:
    url = make_conninfo(empty_database_url, user=role)
    execute(empty_database_url, f'ALTER ROLE "{role}" SET search_path = {path or chr(39) * 2}')
    cause = "no schema of the search_path exists (" if path else "the search_path is empty. "
    rest = [] if path else ["the role may not create tables in the schema public."]
    check_until_solved(empty_database_url, url, Work.MIGRATE, [cause, *rest])
    assert migrate(url) == migration_names()
    asyncio.run(check_database(url, Work.CHANGE))


def test_search_path_of_the_url_is_corrected_in_the_url(empty_database_url: str) -> None:
    url = make_conninfo(empty_database_url, options="-csearch_path=")
    assert find_reason(url, Work.READ) == (
        "the search_path is empty. Name a schema that exists: write options=-csearch_path%3Dpublic in the URL, or in PGOPTIONS"
        " if it is there."
    )


def test_schema_without_privileges_is_explained(empty_database_url: str, role: str) -> None:
    execute(empty_database_url, 'CREATE SCHEMA "My Freight"')
    url = make_conninfo(empty_database_url, user=role, options='-csearch_path="My\\ Freight"')
    check_until_solved(
        empty_database_url, url, Work.MIGRATE, ['the role may not use the schema "My Freight" of its search_path.']
    )
    execute(empty_database_url, f'REVOKE CREATE ON SCHEMA "My Freight" FROM "{role}"')
    check_until_solved(
        empty_database_url, url, Work.MIGRATE, ['the role may not create tables in the schema "My Freight".']
    )
    execute(empty_database_url, f'REVOKE TEMPORARY ON DATABASE "{conninfo_to_dict(url)["dbname"]}" FROM public')
    check_until_solved(empty_database_url, url, Work.MIGRATE, ["the role may not create temporary tables."])
    assert migrate(url) == migration_names()


def test_tables_of_another_role_are_explained(empty_database_url: str, role: str) -> None:
    migrate(empty_database_url)
    url = make_conninfo(empty_database_url, user=role)
    asyncio.run(check_database(url, Work.READ))
    check_until_solved(
        empty_database_url,
        url,
        Work.CHANGE,
        [
            "the role lacks SELECT, INSERT, UPDATE, DELETE on api_tokens, audit_entries, batch_lanes and 8 more"
            " in the schema public."
        ],
    )
    # Nothing is due, so the role needs no right to create tables.
    assert asyncio.run(check_database(url, Work.MIGRATE)) == set()
    execute(empty_database_url, f'REVOKE INSERT ON prices FROM "{role}"')
    assert find_reason(url, Work.CHANGE).startswith(
        "the role lacks INSERT on prices in the schema public. Grant them as postgres"
    )


def test_due_migration_of_tables_of_another_role_is_explained(empty_database_url: str, role: str) -> None:
    migrate(empty_database_url)
    execute(
        empty_database_url,
        f"DELETE FROM _yoyo_migration WHERE migration_id = '{migration_names()[-1]}'; DROP TABLE audit_entries",
        f'GRANT CREATE ON SCHEMA public TO "{role}"; GRANT SELECT ON _yoyo_migration TO "{role}"',
    )
    url = make_conninfo(empty_database_url, user=role)
    with pytest.raises(MigrationNeeded):
        asyncio.run(check_database(url, Work.CHANGE))
    check_until_solved(
        empty_database_url,
        url,
        Work.MIGRATE,
        ["a migration is due, and the tables in the schema public belong to the role postgres."],
    )
    assert migrate(url) == migration_names()[-1:]


@pytest.mark.parametrize(
    "definition", ["TABLE prices (id int)", "TABLE locations (id int)", "VIEW prices AS SELECT 1 AS id"]
)
def test_database_of_another_application_is_explained(empty_database_url: str, role: str, definition: str) -> None:
    execute(empty_database_url, f"CREATE {definition}", f'GRANT CREATE ON SCHEMA public TO "{role}"')
    url = make_conninfo(empty_database_url, user=role)
    name = definition.split()[1]
    for work in Work.READ, Work.CHANGE:
        assert find_reason(url, work).startswith(
            f"the schema public contains relations of another application: {name}. Name an empty database"
        )
    with pytest.raises(DatabaseUnusable) as caught:
        migrate(url)
    assert isinstance(caught.value.__cause__, DuplicateTable)
    execute(
        empty_database_url, "DROP TABLE IF EXISTS _yoyo_log, _yoyo_migration, _yoyo_version, yoyo_lock, exchange_rates"
    )
    execute(empty_database_url, "DROP TABLE IF EXISTS price_batches, batch_payloads, batch_rejections")
    check_until_solved(
        empty_database_url, url, Work.MIGRATE, ["the schema public contains relations of another application"]
    )
    assert migrate(url) == migration_names()


def test_schema_of_the_role_does_not_hide_an_installation(empty_database_url: str, role: str) -> None:
    migrate(empty_database_url)
    execute(empty_database_url, f'CREATE SCHEMA "{role}" AUTHORIZATION "{role}"')
    url = make_conninfo(empty_database_url, user=role)
    reasons = {find_reason(url, work) for work in Work}
    (reason,) = reasons
    assert reason.startswith(
        f'the tables of Ratesgraph are in the schema public, and the search_path begins with "{role}".'
    )
    use, set_up = suggested_sql(reason)
    execute(empty_database_url, set_up)
    assert asyncio.run(check_database(url, Work.MIGRATE)) == set(migration_names())
    execute(empty_database_url, use)
    asyncio.run(check_database(url, Work.READ))


def test_missing_search_path_of_a_command_is_explained(empty_database_url: str) -> None:
    execute(empty_database_url, "CREATE SCHEMA freight")
    migrate(make_conninfo(empty_database_url, options="-csearch_path=freight"))
    reason = find_reason(empty_database_url, Work.CHANGE)
    assert reason.startswith(
        "the tables of Ratesgraph are in the schema freight, and the search_path begins with public."
    )
    # Migrating creates a second installation, which may be intended.
    assert asyncio.run(check_database(empty_database_url, Work.MIGRATE)) == set(migration_names())


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


def test_outdated_schema_needs_a_migration(database_url: str) -> None:
    execute(database_url, f"DELETE FROM _yoyo_migration WHERE migration_id = '{migration_names()[-1]}'")
    for work in Work.READ, Work.CHANGE:
        with pytest.raises(
            MigrationNeeded, match=r"the schema public has no current Ratesgraph tables\. Run `ratesgraph migrate`"
        ):
            asyncio.run(check_database(database_url, work))


def test_check_before_a_migration_waits_for_another_one(empty_database_url: str) -> None:
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(empty_database_url) as migrating, ThreadPoolExecutor(1) as threads:
        migrating.execute(SQL["lock_migrations"])
        # yoyo commits each migration before it records it. In between, its tables seem to have another origin.
        execute(empty_database_url, "CREATE TABLE locations (id int)")
        checking = threads.submit(lambda: asyncio.run(check_database(empty_database_url, Work.MIGRATE)))
        eventually(lambda: migrating.execute(waiting).fetchone() is not None, "the check does not wait")
        execute(empty_database_url, "DROP TABLE locations")
        migrating.commit()
        assert checking.result() == set(migration_names())


def test_created_tables_are_read_from_the_migrations(database_url: str) -> None:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%yoyo%'"
    with psycopg.connect(database_url) as connection:
        assert created_tables(migration_names()) == {name for (name,) in connection.execute(query)}
