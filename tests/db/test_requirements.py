"""Schemas and roles that cannot be used: the SQL that is suggested helps."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import DuplicateTable

from db.administration.access import SQL
from db.errors import DatabaseUnusable, MigrationNeeded
from db.migrate import migrate, migration_names
from db.requirements import Work, check_database
from tests.support.databases.roles import created_role, execute, find_reason, suggested_sql
from tests.support.waiting import eventually


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
            "the role lacks SELECT, INSERT, UPDATE, DELETE on api_tokens, archive_tombstones, archived_files and"
            " 21 more in the schema public."
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
        f"DELETE FROM _yoyo_migration WHERE migration_id = '{migration_names()[-1]}';"
        " DROP TABLE verifications, verified_parts",
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
