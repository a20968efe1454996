"""Schema migrations: applies the raw SQL files in `migrations/` with yoyo.

A session-level advisory lock serialises concurrent migrations of a schema. Servers and workers go on while a migration runs.
Its `ALTER TABLE` waits for the transactions that use the table, and all later statements on that table wait behind it.
Therefore it waits for a moment only, releases everything, and tries again.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psycopg
import yoyo
from psycopg import errors
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import MigrationList, default_migration_table

from db.connection import connection_options, session_settings
from db.diagnosis.conninfo import connection_error
from db.errors import DatabaseUnusable, MigrationTimeout, driver_errors

FOLDER = Path(__file__).parent / "migrations"
HISTORY_TABLE = default_migration_table
"""Table of yoyo with the names of the migrations that were applied in its schema."""
MIGRATION_LOCK = 7_263_001
LOCK_TIMEOUT = "1s"
"""How long servers and workers may have to wait behind a migration that waits for a lock."""
LOCK_PATIENCE_SECONDS = 120.0
"""How long a migration is tried again. The largest batches hold their locks for some ten seconds."""
LOCK_PAUSE = wait_random(0.5, 2)
STATEMENT_TIMEOUT = "10min"
CONTRACT = b"ALTER TABLE price_totals ALTER COLUMN price_sums DROP NOT NULL, ALTER COLUMN price_counts DROP NOT NULL"
"""Ends the expansion: from now on, data may have forms that servers of earlier releases cannot read."""
CREATE_TABLE = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's backend with libpq's connection strings and time limits.

    yoyo's own URLs have no socket folders, and know no options such as a search_path that come from the environment.
    """

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection[Any]:
        """Open a connection. yoyo opens one for each migration."""
        connection = _connect(dburi.database)
        for setting in (("lock_timeout", LOCK_TIMEOUT), ("statement_timeout", STATEMENT_TIMEOUT)):
            connection.execute("SELECT set_config(%s, %s, false)", setting)
        return connection


def _connect(database_url: str) -> psycopg.Connection[Any]:
    """Open a connection. Raise ConnectionLost, with the reason, if this fails."""
    try:
        connection = psycopg.connect(database_url, **connection_options(database_url))
    except psycopg.OperationalError as error:
        raise connection_error(database_url, error) from error
    for setting in session_settings(connection.info.server_version).items():
        connection.execute("SELECT set_config(%s, %s, false)", setting)
    return connection


def migration_names() -> list[str]:
    """Return the names of all migrations, in the order in which they are applied."""
    return sorted(path.stem for path in FOLDER.glob("*.sql"))


def created_tables(migrations: Collection[str]) -> set[str]:
    """Return the names of the tables that these migrations create."""
    return {
        table
        for migration in migrations
        for table in CREATE_TABLE.findall((FOLDER / f"{migration}.sql").read_text(encoding="utf-8"))
    }


def migrate(database_url: str) -> list[str]:
    """Apply the missing migrations and return their names, oldest first.

    A new database is contracted at once, because no server of an earlier release uses it.

    The tables are created in the first existing schema of the search_path. This is safe to call at every start. Raise
    DatabaseUnusable if something there has a name that Ratesgraph needs, or a privilege is missing. Raise MigrationTimeout if a
    migration could not acquire its locks, or took too long. It is rolled back, and those before it stay applied.
    """
    with driver_errors(), _connect(database_url) as connection:
        connection.execute(
            "SELECT pg_advisory_lock(%s, oid::int) FROM pg_namespace WHERE nspname = current_schema()",
            (MIGRATION_LOCK,),
        )
        uri = DatabaseURI("postgresql+psycopg", None, None, None, None, database_url, {})
        backend = Backend(uri, HISTORY_TABLE)
        try:
            backend.init_database()
            # The advisory lock is held here, so a remaining lock row belongs to a dead process.
            backend.break_lock()
            with backend.lock():
                applied = _apply(backend, yoyo.read_migrations(str(FOLDER)))
            if applied == migration_names():
                connection.execute(CONTRACT)
            return applied
        except (errors.DuplicateTable, errors.DuplicateObject) as error:
            raise DatabaseUnusable from error
        finally:
            backend.connection.close()


def contract(database_url: str) -> None:
    """Allow what servers and workers of earlier releases cannot read.

    Call it after the last of them has stopped. Raise MigrationTimeout if the table could not be locked.
    """
    with driver_errors(), _connect(database_url) as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
        try:
            for attempt in _retrying():
                with attempt:
                    connection.execute(CONTRACT)
        except errors.LockNotAvailable as error:
            raise MigrationTimeout(
                f"The contraction was not done: for {LOCK_PATIENCE_SECONDS:.0f} s other sessions held locks on price_totals."
                " End their transactions (pg_stat_activity lists them), then run `ratesgraph migrate --contract` again."
            ) from error


def _retrying() -> Retrying:
    """Return the attempts at what needs a lock."""
    return Retrying(
        retry=retry_if_exception_type(errors.LockNotAvailable),
        wait=LOCK_PAUSE,
        stop=stop_after_delay(LOCK_PATIENCE_SECONDS),
        reraise=True,
    )


def _apply(backend: Backend, migrations: MigrationList) -> list[str]:
    """Apply the missing migrations and return their names.

    Repeat what waited too long for a lock.
    """
    pending = [migration.id for migration in backend.to_apply(migrations)]
    try:
        for attempt in _retrying():
            with attempt:
                backend.apply_migrations(backend.to_apply(migrations))
    except errors.LockNotAvailable as error:
        raise MigrationTimeout(
            f"The migration {_first_pending(backend, migrations)} was rolled back: for {LOCK_PATIENCE_SECONDS:.0f} s other"
            " sessions held locks on its tables. End their transactions (pg_stat_activity lists them), then run"
            " `ratesgraph migrate` again."
        ) from error
    except errors.QueryCanceled as error:
        raise MigrationTimeout(
            f"The migration {_first_pending(backend, migrations)} was rolled back: a statement took longer than"
            f" {STATEMENT_TIMEOUT}. Run `ratesgraph migrate` again when the database is less busy."
        ) from error
    return pending


def _first_pending(backend: Backend, migrations: MigrationList) -> str:
    return str(backend.to_apply(migrations)[0].id)
