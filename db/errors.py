"""Database errors that hide the driver.

    DatabaseError
    ├── DatabaseUnavailable   no connection was available in time
    │   ├── ConnectionLost    a connection could not be opened or broke: reads may be retried
    │   │   ├── ReadOnlyServer    the connection leads to a server that accepts no writes, as during a failover
    │   │   └── StaleReplica      the connection leads to a replica that does not have the current data
    │   ├── NodeUnavailable   the server answers, and another server that it needs for this statement does not
    │   └── DiskFull          the database has no room to store anything; it may still answer reads
    ├── ServerBusy            this process has more work than its connections can do; the database is healthy
    ├── TreeChangeRunning     the work waits for a change of the region tree
    ├── StatementTimeout      a statement or idle timeout ended the work
    │   ├── LockTimeout       the work waited too long for a lock of other work
    │   └── MigrationTimeout  a migration could not acquire its locks, or took too long
    ├── TotalsDamaged         a stored row of totals has a wrong form
    ├── CountTooLarge         a pair of locations has more prices of a day than a row of totals can count
    ├── ConcurrentChange      other work has changed the same rows since the snapshot of the transaction
    ├── DatabaseUnusable      the database, its schema or the role do not allow the work
    │   ├── MigrationNeeded   the schema is missing or older than this code
    │   └── DataDamaged       PostgreSQL has found a damaged page or index on its disk
    ├── ReplicaRefused        the server of a read replica is no replica of this database
    └── EmbeddedServerError   the embedded PostgreSQL could not be started

Each class's docstring is its default message. Only `driver_errors()` converts driver exceptions into these classes.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests


class DatabaseError(Exception):
    """The database rejected the operation."""

    def __init__(self, message: str | None = None) -> None:
        # The default message of a class is the first line of its docstring.
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


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
        super().__init__(message)
        self.summary = summary
        self.is_temporary = is_temporary


class ReadOnlyServer(ConnectionLost):
    """The database accepts no changes: its server is a standby or read-only. Try again shortly."""


class StaleReplica(ConnectionLost):
    """The read replica does not have the current data."""


class NodeUnavailable(DatabaseUnavailable):
    """A part of the database cannot be reached right now. Try again shortly."""


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


class MigrationTimeout(StatementTimeout):
    """A migration timed out and was rolled back. Run `ratesgraph migrate` again."""


class ConcurrentChange(DatabaseError):
    """Other work has changed the same data at the same time. Try again."""


class TotalsDamaged(DatabaseError):
    """Stored totals are damaged. An operator can rebuild them: `ratesgraph verify --repair`.

    Attributes:
        lane: IDs of the origin and the destination, if they are known.
    """

    def __init__(self, lane: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.lane = lane


class CountTooLarge(DatabaseError):
    """Totals cannot be merged: a lane has more than 2,147,483,647 prices of one day."""


class DatabaseUnusable(DatabaseError):
    """The database does not allow this work. The server's log has the reason."""


class MigrationNeeded(DatabaseUnusable):
    """The database has no current Ratesgraph schema. Run `ratesgraph migrate` first."""


class DataDamaged(DatabaseUnusable):
    """The database has found damaged data on its disk. The server's log has the place."""


class ReplicaRefused(DatabaseError):
    """The server is no read replica of this database."""


class EmbeddedServerError(DatabaseError):
    """The embedded PostgreSQL could not be started."""


CONNECTION_EXCEPTION = "08"
"""SQLSTATE class of connection errors. The codes below also end or refuse a connection.

With severity ERROR the connection stays open: the server reports the connection to another server. The coordinator of Citus
does if a worker is down, and so does a foreign data wrapper.
"""
NODE_MESSAGE = re.compile(
    r"connection marked as essential|could not connect to (any|node|shard)|could not establish any connections to the node"
    r"|failed to connect to|terminating connection|query result unavailable"
)
"""Message with which Citus reports a lost node, or repeats its last error, under SQLSTATE XX000."""
SERVER_SHUTDOWN = {"57P01", "57P02", "57P03", "57P05"}
TOO_MANY_CONNECTIONS = "53300"
INTERNAL_ERROR = "XX000"
REFUSALS = (pg.InsufficientPrivilege, pg.InvalidSchemaName)
"""Errors of statements that only the operator can resolve: privileges and the search_path."""
LOST_STATEMENTS = (pg.InvalidSqlStatementName, pg.DuplicatePreparedStatement)
"""Errors of a connection pooler that lends a session without the statements that its client prepared."""
DAMAGE = (pg.DataCorrupted, pg.IndexCorrupted)
"""Errors of a page whose checksum or structure is wrong."""
DAMAGE_ADVICE = "Data on the disk of the database are damaged: restore them from a backup."
POOLER_ADVICE = (
    "Name PostgreSQL itself in the URL, or update the pooler (PgBouncer: 1.22, max_prepared_statements above 0)."
)
STATEMENT_ERROR = "ERROR"
"""Severity of an error that ends a statement. After a higher one the server closes the connection, whatever the code."""
READ_ONLY_TRANSACTION = "25006"
"""SQLSTATE of a change on a server that accepts none: a standby, or one whose transactions are read-only by default."""
OTHER_READ_ONLY_STATES = {None, "55000", "0A000", INTERNAL_ERROR}
READ_ONLY_MESSAGE = re.compile(r"session is read-only|hot standby|(during|while) recovery|recovery is in progress")
"""Message of a refusal for the same reason with another SQLSTATE, or with none: libpq compares `target_session_attrs` itself.

The codes alone have other reasons too. In another language the message of the server matches nothing.
"""


def is_read_only(error: psycopg.Error) -> bool:
    """Return whether the server refused because it accepts no writes."""
    return error.sqlstate == READ_ONLY_TRANSACTION or (
        error.sqlstate in OTHER_READ_ONLY_STATES and READ_ONLY_MESSAGE.search(str(error)) is not None
    )


def _is_lost(error: psycopg.Error) -> bool:
    """Return whether the connection broke or could not be opened.

    Errors that libpq detects itself have no SQLSTATE.
    """
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    severity = error.diag.severity_nonlocalized
    return severity != STATEMENT_ERROR and (severity is not None or _has_connection_code(error))


def _has_connection_code(error: psycopg.Error) -> bool:
    """Return whether the SQLSTATE says that a connection broke or was refused.

    It may be the connection of the server to another one.
    """
    code = error.sqlstate or ""
    return code.startswith(CONNECTION_EXCEPTION) or code in {*SERVER_SHUTDOWN, TOO_MANY_CONNECTIONS}


def _names_lost_node(error: psycopg.Error) -> bool:
    return error.sqlstate == INTERNAL_ERROR and NODE_MESSAGE.search(error.diag.message_primary or "") is not None


def describe_for_operator(error: DatabaseError) -> str:
    """Return the reason of an error for a log, or for the terminal of a command.

    Clients must not see it. PostgreSQL's own messages about privileges, schemas and tables quote no data.
    """
    cause = error.__cause__
    if isinstance(error, TotalsDamaged):
        place = "" if error.lane is None else f" of locations {error.lane[0]} and {error.lane[1]}"
        return f"totals{place} are damaged; `ratesgraph verify --repair` rebuilds them"
    if isinstance(error, ConnectionLost):
        return error.summary or (str(cause).strip().partition("\n")[0] if cause else str(error))
    stated = isinstance(error, DatabaseUnusable | NodeUnavailable)
    if stated and isinstance(cause, psycopg.Error) and cause.diag.message_primary:
        reason = f"{cause.diag.message_primary} (SQLSTATE {cause.sqlstate})"
        if isinstance(cause, DAMAGE):
            return f"{reason}. {DAMAGE_ADVICE}"
        return f"{reason}. {POOLER_ADVICE}" if isinstance(cause, LOST_STATEMENTS) else reason
    return str(error)


@contextmanager
def driver_errors() -> Iterator[None]:
    """Convert driver exceptions of the block into this module's errors, chained to them."""
    try:
        yield
    except pg.LockNotAvailable as error:
        raise LockTimeout from error
    except (pg.QueryCanceled, pg.IdleInTransactionSessionTimeout, pg.TransactionTimeout) as error:
        raise StatementTimeout from error
    except (PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise DatabaseUnavailable from error
    except pg.SerializationFailure as error:
        raise ConcurrentChange from error
    except pg.DiskFull as error:
        raise DiskFull from error
    except (pg.UndefinedTable, pg.UndefinedColumn) as error:
        raise MigrationNeeded from error
    except (*REFUSALS, *LOST_STATEMENTS) as error:
        raise DatabaseUnusable from error
    except DAMAGE as error:
        raise DataDamaged from error
    except psycopg.Error as error:
        if is_read_only(error):
            raise ReadOnlyServer from error
        if _is_lost(error):
            raise ConnectionLost from error
        if _has_connection_code(error) or _names_lost_node(error):
            raise NodeUnavailable from error
        if isinstance(error, psycopg.OperationalError):
            raise DatabaseUnavailable from error
        raise
