"""`ratesgraph worker`: applies batches, here or on any number of machines."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.worker import work
from server.console import open_database, out, read_settings

log = logging.getLogger("ratesgraph.worker")

RESTART_SECONDS = 1.0
STOP_SECONDS = 30.0


def worker(*, concurrency: int, with_parent: bool, data_dir: Path | None) -> None:
    """Apply batches until SIGTERM or Ctrl-C; then finish those in hand, or give them back."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = read_settings(data_dir=data_dir)
    with open_database(settings) as url:
        if not with_parent:
            out.print(f"Applying batches, {concurrency} at once (Ctrl-C stops).")
        asyncio.run(_work_until_told(url, concurrency, settings.payload_days, with_parent=with_parent))


async def _work_until_told(url: str, concurrency: int, payload_days: int, *, with_parent: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        # The parent holds the other end: however it dies, this end closes.
        loop.add_reader(sys.stdin.fileno(), stop.set)
    await work(url, stop, concurrency=concurrency, payload_days=payload_days)


@contextmanager
def worker_beside(database_url: str) -> Iterator[None]:
    """Run a worker process of one's own until the end of the block; one that dies is started again."""
    ending = threading.Event()
    command = [sys.executable, "-c", "from server.cli import main; main()", "worker", "--with-parent"]
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        environment = {**os.environ, "DATABASE_URL": database_url}
        # A session of its own: Ctrl-C in the terminal reaches the parent, which ends the worker in good order.
        running[:] = [
            subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603
        ]

    def watch() -> None:
        while not ending.is_set():
            running[0].wait()
            if not ending.wait(RESTART_SECONDS):
                log.warning("the worker ended with code %s and is started again", running[0].returncode)
                start()

    start()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ending.set()
        running[0].terminate()
        try:
            running[0].wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running[0].kill()
            running[0].wait()
        watcher.join()
