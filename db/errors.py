"""Database errors that hide the driver.

    DatabaseError
    ├── DatabaseUnavailable   no connection was available in time
    │   ├── ConnectionLost    a connection could not be opened or broke: reads may be retried
    │   └── DiskFull          the database has no room to store anything; it may still answer reads
    ├── ServerBusy            this process has more work than its connections can do; the database is healthy
    ├── TreeChangeRunning     the work waits for a change of the region tree
    ├── StatementTimeout      a statement or idle timeout ended the work
    │   └── LockTimeout       the work waited too long for a lock of other work
    ├── DatabaseUnusable      the database, its schema or the role do not allow the work
    │   └── MigrationNeeded   the schema is missing or older than this code
    └── EmbeddedServerError   the embedded PostgreSQL could not be started

Each class's docstring is its default message. Only `driver_errors()` converts driver exceptions into these classes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests


class DatabaseError(Exception):
    """The database rejected the operation."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached right now. Try again shortly."""


class ConnectionLost(DatabaseUnavailable):
    """The database cannot be reached right now. Try again shortly.

    Attributes:
        summary: Sentence for the operator with the address, the reason and the remedy, if no connection could be opened.
            Clients must not see it.
        is_temporary: Whether another attempt may succeed without a change by the operator.
    """

    def __init__(self, message: str | None = None, *, summary: str | None = None, is_temporary: bool = True) -> None:
        super().__init__(message or DatabaseUnavailable.__doc__)
        self.summary = summary
        self.is_temporary = is_temporary


class DiskFull(DatabaseUnavailable):
    """The database's disk is full; nothing was stored. Retry when it has free space again."""


class ServerBusy(DatabaseError):
    """The server is busy: too many requests are waiting. Try again shortly."""


class TreeChangeRunning(DatabaseError):
    """A change of the region tree is being applied. Try again when it has ended."""


class StatementTimeout(DatabaseError):
    """The database query timed out. Request less data or try again."""


class LockTimeout(StatementTimeout):
    """The database query timed out while it waited for other work. Try again shortly."""


class DatabaseUnusable(DatabaseError):
    """The database does not allow this work. The server's log has the reason."""


class MigrationNeeded(DatabaseUnusable):
    """The database has no current Ratesgraph schema. Run `ratesgraph migrate` first."""


class EmbeddedServerError(DatabaseError):
    """The embedded PostgreSQL could not be started."""


CONNECTION_EXCEPTION = "08"
"""SQLSTATE class of connection errors. The codes below also end or refuse a connection."""
SERVER_SHUTDOWN = {"57P01", "57P02", "57P03", "57P05"}
TOO_MANY_CONNECTIONS = "53300"
REFUSALS = (pg.InsufficientPrivilege, pg.InvalidSchemaName, pg.ReadOnlySqlTransaction)
"""Errors of statements that only the operator can resolve: privileges, the search_path, a read-only default."""


def _is_lost(error: psycopg.OperationalError) -> bool:
    """Return whether the connection broke or could not be opened.

    Errors that libpq detects itself have no SQLSTATE.
    """
    code = error.sqlstate
    return code is None or code.startswith(CONNECTION_EXCEPTION) or code in {*SERVER_SHUTDOWN, TOO_MANY_CONNECTIONS}


def describe_for_operator(error: DatabaseError) -> str:
    """Return the reason of an error for a log, or for the terminal of a command.

    Clients must not see it. PostgreSQL's own messages about privileges, schemas and tables quote no data.
    """
    cause = error.__cause__
    if isinstance(error, ConnectionLost):
        return error.summary or (str(cause).strip().partition("\n")[0] if cause else str(error))
    if isinstance(error, DatabaseUnusable) and isinstance(cause, psycopg.Error) and cause.diag.message_primary:
        return f"{cause.diag.message_primary} (SQLSTATE {cause.sqlstate})"
    return str(error)


@contextmanager
def driver_errors() -> Iterator[None]:
    """Convert driver exceptions of the block into this module's errors, chained to them."""
    try:
        yield
    except pg.LockNotAvailable as error:
        raise LockTimeout from error
    except (pg.QueryCanceled, pg.IdleInTransactionSessionTimeout) as error:
        raise StatementTimeout from error
    except (PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise DatabaseUnavailable from error
    except pg.DiskFull as error:
        raise DiskFull from error
    except psycopg.OperationalError as error:
        raise (ConnectionLost if _is_lost(error) else DatabaseUnavailable) from error
    except (pg.UndefinedTable, pg.UndefinedColumn) as error:
        raise MigrationNeeded from error
    except REFUSALS as error:
        raise DatabaseUnusable from error
