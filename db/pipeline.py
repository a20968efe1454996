"""Runs one statement for many parameters in a single round trip, with little work for each.

A cursor takes 35 µs of the event loop for each statement of a pipeline, and `executemany` waits for a second round trip. Here
it is 17 µs, less than PostgreSQL itself needs for a lane, by the parts of psycopg from which its own pipeline is built. Only
what requests ask for all day is worth it: everything else goes through cursors.
"""

import hashlib
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from db.connection import Connection
from db.traced_cursor import statement_span
from telemetry import spans

Answer = TypeVar("Answer")

BINARY = 1
_prepared: WeakKeyDictionary[Connection, set[bytes]] = WeakKeyDictionary()
"""The statements that each connection knows, by name."""


async def execute_pipelined(
    connection: Connection,
    statement: bytes,
    parameters: Sequence[Sequence[str]],
    read: Callable[[int, list[tuple[Any, ...]]], Answer],
) -> list[Answer]:
    """Return what `read` makes of the statement's rows for each of the parameters, which are texts for `$1`, `$2` and so on.

    It is called in their order, with the number and the rows of each, while PostgreSQL is at work on the next. The first
    error ends what comes after it: then there are answers for the parameters before it; when there are none, it is raised.
    """
    pgconn = connection.pgconn
    name = _name(statement)
    answers: list[Answer] = []
    failures: list[Exception] = []
    async with connection.lock:
        known = _prepared.setdefault(connection, set())
        transformer = Transformer(connection)

        def take(result: PGresult) -> None:
            if result.status == ExecStatus.TUPLES_OK:
                # All have the same columns, so how to read them is found for the first.
                transformer.set_pgresult(result, set_loaders=not answers)
                answers.append(read(len(answers), transformer.load_rows(0, result.ntuples, tuple)))
            elif result.status == ExecStatus.COMMAND_OK:
                # It stays prepared whatever becomes of what follows, even when nobody waits for it any more.
                known.add(name)
            elif result.status == ExecStatus.FATAL_ERROR:
                failures.append(errors.error_from_result(result))

        commands = [] if name in known else [partial(pgconn.send_prepare, name, statement)]
        for values in parameters:
            encoded = [value.encode() for value in values]
            commands.append(partial(pgconn.send_query_prepared, name, encoded, result_format=BINARY))
        commands.append(pgconn.pipeline_sync)  # type: ignore[arg-type]
        with spans.NO_SPAN if spans.tracer is None else statement_span(statement, len(parameters)):
            await connection.wait(_run_pipeline(pgconn, commands, take))
    if failures and not answers:
        raise failures[0]
    return answers


def _run_pipeline(
    pgconn: PGconn, commands: Sequence[Callable[[], None]], on_result: Callable[[PGresult], None]
) -> Generator[Any, Any, None]:
    """Send the commands all at once and have the result of each taken, in the way of psycopg's generators."""
    pgconn.enter_pipeline_mode()
    for command in commands:
        # This only writes into a buffer, and into the socket what no longer fits.
        command()
    # What can be read while there is still to be sent is read at once: otherwise both sides could wait for each other.
    yield from send(pgconn)
    for _ in commands:
        [result] = yield from fetch_many(pgconn)
        on_result(result)
    pgconn.exit_pipeline_mode()


@lru_cache
def _name(statement: bytes) -> bytes:
    return b"ratesgraph_" + hashlib.sha256(statement).hexdigest()[:16].encode()
