"""Processes that the server starts: what needs the ingest engine runs beside it, or before.

The engine brings polars and numpy along, and rates or demo data that were once read stay in a process's memory; a server that
goes on for months need not hold them.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("ratesgraph.server")

COMMAND = [sys.executable, "-c", "from server.cli.main import main; main()"]
RESTART_SECONDS = 1.0
STOP_SECONDS = 30.0


def _start(database_url: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
    environment = {name: value for name, value in os.environ.items() if name != "RATESGRAPH_DIRECT_URL"}
    environment["DATABASE_URL"] = database_url
    return subprocess.Popen([*COMMAND, *arguments], env=environment, **options)  # noqa: S603


def run_command(database_url: str, *arguments: str) -> None:
    """Run a command of ours to its end. Raise SystemExit with its code when it fails: it has told why."""
    with _start(database_url, *arguments) as running:
        try:
            code = running.wait()
        except BaseException:
            running.terminate()
            raise
    if code:
        raise SystemExit(code)


@contextmanager
def worker_subprocess(database_url: str) -> Iterator[None]:
    """Run a worker process of one's own until the end of the block; one that dies is started again."""
    ending = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        # A session of its own: Ctrl-C in the terminal reaches the parent, which ends the worker in good order.
        running[:] = [_start(database_url, "worker", "--with-parent", stdin=subprocess.PIPE, start_new_session=True)]

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
