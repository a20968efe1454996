"""Child processes of the server, for commands and the worker, which need the ingest engine.

The engine imports polars and numpy, and data that it has read stays in the memory of its process. A server that runs for
months does not need them.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from db.embedded.cluster import resolve_data_dir

log = logging.getLogger("ratesgraph.server")

COMMAND = [sys.executable, "-c", "from server.cli.main import main; main()"]
RESTART_SECONDS = 1.0
STOP_SECONDS = 30.0


def _start(database_url: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
    environment = {name: value for name, value in os.environ.items() if name != "RATESGRAPH_DIRECT_URL"}
    environment["DATABASE_URL"] = database_url
    return subprocess.Popen([*COMMAND, *arguments], env=environment, **options)  # noqa: S603


def run_command(database_url: str, *arguments: str) -> None:
    """Run a `ratesgraph` command to its end.

    Raise SystemExit with its exit code if it fails. The command itself prints the reason.
    """
    with _start(database_url, *arguments) as running:
        try:
            code = running.wait()
        except BaseException:
            running.terminate()
            raise
    if code:
        raise SystemExit(code)


@contextmanager
def worker_subprocess(database_url: str, data_dir: Path) -> Iterator[None]:
    """Run a worker process for the duration of the block. Restart it if it dies.

    The worker counts as a separate user of the data folder: if this process is killed, the worker ends and stops the database.
    """
    options = ["--with-parent", "--data-dir", str(resolve_data_dir(data_dir))]
    ending = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        # A new session: Ctrl-C in the terminal reaches only the parent, which stops the worker gracefully.
        running[:] = [_start(database_url, "worker", *options, stdin=subprocess.PIPE, start_new_session=True)]

    def watch() -> None:
        while not ending.is_set():
            running[0].wait()
            if not ending.wait(RESTART_SECONDS):
                log.warning("the worker exited with code %s; restarting it", running[0].returncode)
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
