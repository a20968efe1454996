"""Schema migrations: applies the raw SQL files in `migrations/` with yoyo.

A session-level advisory lock serialises concurrent migrations. Timeouts prevent a migration from queueing behind, or in front
of, a busy application.
"""

from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import yoyo
from psycopg.conninfo import conninfo_to_dict

from db.errors import driver_errors

FOLDER = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_263_001
LOCK_TIMEOUT = "30s"
STATEMENT_TIMEOUT = "10min"


def _yoyo_url(database_url: str) -> str:
    """Convert a libpq connection string into the URL form that yoyo understands.

    libpq also accepts `key=value` strings and socket folders as the host.
    """
    parameters = {key: str(value) for key, value in conninfo_to_dict(database_url).items() if value is not None}
    name = parameters.pop("dbname", "")
    parameters.setdefault("connect_timeout", "3")
    parameters["options"] = f"-c lock_timeout={LOCK_TIMEOUT} -c statement_timeout={STATEMENT_TIMEOUT}"
    return f"postgresql+psycopg:///{quote(name)}?{urlencode(parameters, quote_via=quote)}"


def migrate(database_url: str) -> list[str]:
    """Apply the missing migrations and return their names, oldest first.

    This is safe to call at every start.
    """
    with driver_errors(), psycopg.connect(database_url, autocommit=True, connect_timeout=3) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        backend = yoyo.get_backend(_yoyo_url(database_url))
        try:
            # The advisory lock is held here, so a remaining lock row belongs to a dead process.
            backend.break_lock()
            with backend.lock():
                pending = backend.to_apply(yoyo.read_migrations(str(FOLDER)))
                backend.apply_migrations(pending)
                return [migration.id for migration in pending]
        finally:
            backend.connection.close()
