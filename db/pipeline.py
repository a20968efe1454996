"""Pipeline mode: runs one prepared statement for many parameters in a single round trip.

A cursor costs 35 µs of the event loop for each statement of a pipeline, and `executemany` waits for a second round trip. This
module costs 17 µs, less than PostgreSQL itself needs for a lane. It uses the same low-level parts of psycopg that psycopg's own
pipeline is built from. Only the statements of the hot read path are worth this; everything else uses cursors.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from psycopg import DataError, errors
from psycopg.adapt import Transformer
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from db.connection import Connection
from db.traced_cursor import statement_span
from telemetry import spans

Result = TypeVar("Result")
Decoder = Callable[[int, list[tuple[Any, ...]]], Result]
"""Turns the rows of one parameter set into a result.

Its first argument is the set's position.
"""

BINARY = 1
DECODING_ERRORS = (DataError, ArithmeticError, IndexError, TypeError, ValueError)
"""Errors that decoding rows of a wrong form can raise."""
_prepared: WeakKeyDictionary[Connection, set[bytes]] = WeakKeyDictionary()
"""The names of the prepared statements of each connection."""


class RowDecodingError(Exception):
    """Rows that cannot be decoded, because stored values are damaged.

    Attributes:
        number: Position of their parameter set.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"the rows of parameter set {number} are damaged")
        self.number = number


async def execute_pipelined(
    connection: Connection, statement: bytes, parameters: Sequence[Sequence[str]], decode: Decoder[Result]
) -> list[Result]:
    """Return the decoded rows of the statement for each parameter set, in order.

    Each parameter set holds the texts for `$1`, `$2` and so on. Rows are decoded while PostgreSQL works on the next set. The
    first error ends the pipeline: the results before it are returned, or the error is raised when there are none. Damaged rows
    are such an error, RowDecodingError.
    """
    run = await _execute(connection, statement, parameters, decode)
    if run.error is not None and not run.results:
        raise run.error
    return run.results


async def execute_whole_pipeline(
    connection: Connection, statement: bytes, parameters: Sequence[Sequence[str]], decode: Decoder[Result]
) -> list[Result]:
    """Return the results of `execute_pipelined` for all parameter sets. Raise the first error."""
    run = await _execute(connection, statement, parameters, decode)
    if run.error is not None:
        raise run.error
    return run.results


async def _execute(
    connection: Connection, statement: bytes, parameters: Sequence[Sequence[str]], decode: Decoder[Result]
) -> "_PipelineRun[Result]":
    async with connection.lock:
        while True:
            run = _PipelineRun(connection, statement, decode)
            commands = run.create_commands(parameters)
            with spans.NO_SPAN if spans.tracer is None else statement_span(statement, len(parameters)):
                await connection.wait(_run_pipeline(connection.pgconn, commands, run.on_result))
            if not run.is_lost or connection.pgconn.transaction_status != TransactionStatus.IDLE:
                return run


def format_integers(values: Iterable[int]) -> str:
    """Return the text of an array of integers, as a parameter of a pipeline."""
    return f"{{{','.join(map(str, values))}}}"


class _PipelineRun(Generic[Result]):
    """One execution of a pipeline: its commands, the results so far and the first error."""

    __slots__ = (
        "_decode",
        "_name",
        "_pgconn",
        "_prepared",
        "_statement",
        "_transformer",
        "error",
        "is_lost",
        "results",
    )

    def __init__(self, connection: Connection, statement: bytes, decode: Decoder[Result]) -> None:
        self._pgconn = connection.pgconn
        self._statement = statement
        # The unnamed statement lasts until the end of the pipeline, during which no pooler lends the session to others.
        can_prepare = connection.prepare_threshold is not None
        self._name = _statement_name(statement) if can_prepare else b""
        self._prepared = _prepared.setdefault(connection, set()) if can_prepare else set()
        self._transformer = Transformer(connection)
        self._decode = decode
        self.results: list[Result] = []
        self.error: Exception | None = None
        self.is_lost = False

    def create_commands(self, parameters: Sequence[Sequence[str]]) -> list[Callable[[], None]]:
        """Return the libpq calls of the pipeline, in order.

        They prepare the statement if needed, execute it for each parameter set, and synchronise.
        """
        pgconn, name = self._pgconn, self._name
        commands = [] if name in self._prepared else [partial(pgconn.send_prepare, name, self._statement)]
        for values in parameters:
            encoded = [value.encode() for value in values]
            commands.append(partial(pgconn.send_query_prepared, name, encoded, result_format=BINARY))
        commands.append(pgconn.pipeline_sync)  # type: ignore[arg-type]
        return commands  # type: ignore[return-value]

    def on_result(self, result: PGresult) -> None:
        """Process the result of the next command."""
        status = result.status
        if status == ExecStatus.TUPLES_OK and self.error is None:
            results, transformer = self.results, self._transformer
            # All results have the same columns, so the loaders are chosen once.
            transformer.set_pgresult(result, set_loaders=not results)
            try:
                results.append(self._decode(len(results), transformer.load_rows(0, result.ntuples, tuple)))
            except DECODING_ERRORS as error:
                # Later results are received all the same: otherwise the connection would stay in pipeline mode.
                self.error = RowDecodingError(len(results))
                self.error.__cause__ = error
        elif status == ExecStatus.COMMAND_OK:
            # The statement stays prepared, even when a later command fails or the caller is cancelled.
            self._prepared.add(self._name)
        elif status == ExecStatus.FATAL_ERROR and self.error is None:
            self.error = errors.error_from_result(result)
            if isinstance(self.error, errors.InvalidSqlStatementName):
                # psycopg deallocates all prepared statements after a ROLLBACK or a DROP.
                self._prepared.clear()
                self.is_lost = True


def _run_pipeline(
    pgconn: PGconn, commands: Sequence[Callable[[], None]], on_result: Callable[[PGresult], None]
) -> Generator[Any, Any, None]:
    """Send all commands at once and pass each result to `on_result`.

    This is a generator for psycopg's `connection.wait`.
    """
    pgconn.enter_pipeline_mode()
    for command in commands:
        # This only fills libpq's output buffer; whatever does not fit is written to the socket.
        command()
    # `send` also reads while it writes. Otherwise client and server could block on each other's full buffers.
    yield from send(pgconn)
    for _ in commands:
        [result] = yield from fetch_many(pgconn)
        on_result(result)
    pgconn.exit_pipeline_mode()


@lru_cache
def _statement_name(statement: bytes) -> bytes:
    return b"ratesgraph_" + hashlib.sha256(statement).hexdigest()[:16].encode()
