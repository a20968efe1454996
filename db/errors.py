"""What can go wrong in the database, without a word of the driver.

    DatabaseError
    ├── DatabaseUnavailable   no connection could be had, or it was lost
    ├── StatementTimeout      a statement, lock or idle timeout ended the work
    ├── MigrationNeeded       the schema is missing or older than this code
    └── EmbeddedServerError   the embedded PostgreSQL could not be started

Each class's docstring is its default message. `driver_errors()` is the one place that turns driver exceptions into these.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests


class DatabaseError(Exception):
    """The database refused the work."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached right now. Try again shortly."""


class StatementTimeout(DatabaseError):
    """The database took too long and the work was stopped. Ask for less at once or try again."""


class MigrationNeeded(DatabaseError):
    """The database has no current Ratesgraph schema. Run `ratesgraph migrate` first."""


class EmbeddedServerError(DatabaseError):
    """The embedded PostgreSQL could not be started."""


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn what the driver raises inside the block into this module's errors, keeping the cause."""
    try:
        yield
    except (pg.QueryCanceled, pg.LockNotAvailable, pg.IdleInTransactionSessionTimeout) as error:
        raise StatementTimeout from error
    except (psycopg.OperationalError, PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise DatabaseUnavailable from error
    except (pg.UndefinedTable, pg.UndefinedColumn) as error:
        raise MigrationNeeded from error
