"""Schema migrations: applies the raw SQL files in `migrations/` with yoyo.

A session-level advisory lock serialises concurrent migrations of a schema. Timeouts prevent a migration from queueing behind,
or in front of, a busy application.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psycopg
import yoyo
from psycopg import errors
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import default_migration_table

from db.connection import connection_options, session_settings
from db.diagnosis.conninfo import connection_error
from db.errors import DatabaseUnusable, driver_errors

FOLDER = Path(__file__).parent / "migrations"
HISTORY_TABLE = default_migration_table
"""Table of yoyo with the names of the migrations that were applied in its schema."""
MIGRATION_LOCK = 7_263_001
LOCK_TIMEOUT = "30s"
STATEMENT_TIMEOUT = "10min"
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

    The tables are created in the first existing schema of the search_path. This is safe to call at every start. Raise
    DatabaseUnusable if something there has a name that Ratesgraph needs, or a privilege is missing.
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
                pending = backend.to_apply(yoyo.read_migrations(str(FOLDER)))
                backend.apply_migrations(pending)
                return [migration.id for migration in pending]
        except (errors.DuplicateTable, errors.DuplicateObject) as error:
            raise DatabaseUnusable from error
        finally:
            backend.connection.close()
