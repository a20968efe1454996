"""A complete chaos run: setup, processes, clients, killer, final comparison."""

import asyncio
import logging
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from db.migrate import migrate
from db.pool import INGEST, connect
from domain.batches import BatchStatus
from ingest.tree import change_tree
from tests.chaos.checks import diff_totals, find_faults, list_rows, model_totals, read_totals
from tests.chaos.clients import Client
from tests.chaos.database import crashable_server
from tests.chaos.figures import Figures
from tests.chaos.killer import Strike, strike_all
from tests.chaos.ledger import Ledger
from tests.chaos.scale import CLIENTS, Scale
from tests.chaos.supervised_process import running_processes
from tests.chaos.uploads import make_world
from tests.support.commands.ports import find_free_port
from tests.support.commands.processes import COMMAND, environment
from tests.support.tokens import create_api_token


def run(scale: Scale, logs: Path | None = None) -> Figures:
    """Run a chaos test and return its figures. The processes write their logs to `logs`.

    Without `logs`, they go to a temporary folder.

    Raise DeadlineExceeded when the system makes no progress, UnexpectedResponse when a response violates the contract.
    """
    start = time.monotonic()
    ledger = Ledger(scale.batches)
    with (
        TemporaryDirectory(prefix="ratesgraph-chaos-", ignore_cleanup_errors=True) as folder,
        crashable_server(Path(folder)) as server,
    ):
        prepare(server.url)
        place = logs or Path(folder) / "logs"
        place.mkdir(parents=True, exist_ok=True)
        with (
            watching(server.url, ledger),
            running_processes(server.url, port := find_free_port(), scale.workers, place) as (api, workers),
            ThreadPoolExecutor(CLIENTS + 1) as threads,
        ):
            ledger.wait_for(api.ready.is_set, "the API to serve")
            # One token for all clients: uploader and key together identify an upload.
            url, token = f"http://127.0.0.1:{port}", create_api_token(server.url, "upload")
            clients = [Client(number, scale, url, token, ledger) for number in range(CLIENTS)]
            killing = threads.submit(strike_all, scale, ledger, api, workers, server)
            uploading = [threads.submit(client.run) for client in clients]
            tasks: list[Future[Any]] = [killing, *uploading]
            try:
                done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
                for task in done:
                    task.result()
                ledger.wait_for(lambda: _is_queue_empty(server.url), "the queue to be empty")
            finally:
                ledger.over.set()
            strikes = killing.result()
        return collect_figures(server.url, ledger, strikes, place, time.monotonic() - start)


def prepare(url: str) -> None:
    """Create the schema and the region tree. The API loads the exchange rates at its start."""
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    migrate(url)

    async def load_tree() -> None:
        async with connect(url, INGEST) as connection:
            await change_tree(connection, make_world().entries())

    asyncio.run(load_tree())


@contextmanager
def watching(url: str, ledger: Ledger) -> Iterator[None]:
    """Watch the queue in a thread during the block."""
    until = threading.Event()
    watcher = threading.Thread(target=ledger.watch_queue, args=(url, until))
    watcher.start()
    try:
        yield
    finally:
        until.set()
        watcher.join()


def _is_queue_empty(url: str) -> bool:
    return all(row.status not in {BatchStatus.QUEUED, BatchStatus.RUNNING} for row in list_rows(url))


def collect_figures(url: str, ledger: Ledger, strikes: list[Strike], logs: Path, seconds: float) -> Figures:
    """Compare the database with the acknowledged batches, after all work has ended."""
    rows = list_rows(url)
    remaining = [item for _, batch in ledger.acknowledged.values() for item in batch.remaining]
    verified = subprocess.run([COMMAND, "verify"], env=environment(url), capture_output=True, text=True, check=False)
    return Figures(
        rows=rows,
        strikes=strikes,
        sent=ledger.sent,
        transient_failures=ledger.transient_failures,
        acknowledged_at=ledger.acknowledged_at,
        faults=find_faults(rows, ledger.acknowledged),
        differences=diff_totals(model_totals(remaining), asyncio.run(read_totals(url))),
        verify_exit_code=verified.returncode,
        errors_logged=count_logged(logs, "ERROR"),
        tracebacks=count_logged(logs, "Traceback (most recent call last)"),
        seconds=seconds,
    )


def count_logged(logs: Path, words: str) -> int:
    """Return how many log lines begin with the words."""
    return sum(
        line.startswith(words) for log in logs.glob("*.log") for line in log.read_text(errors="replace").splitlines()
    )
