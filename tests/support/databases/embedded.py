"""Processes of an embedded PostgreSQL, and other processes that use its data folder."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from tests.support.waiting import eventually

USER_SCRIPT = """
import sys
from pathlib import Path
from db.embedded.supervisor import embedded_server
with embedded_server(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""
"""A process that uses the data folder until its standard input closes."""


def postgres_processes(data_dir: Path) -> list[psutil.Process]:
    """Return all PostgreSQL processes that work on the data folder, by their working folder."""
    data = data_dir.resolve() / "postgresql"
    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            is_running = process.info["name"] == "postgres" and process.status() != psutil.STATUS_ZOMBIE
            if is_running and Path(process.cwd()) == data:
                found.append(process)
    return found


def postmaster_of(data_dir: Path) -> psutil.Process:
    """Return the parent of all other PostgreSQL processes of the data folder."""
    found = postgres_processes(data_dir)
    parents: dict[psutil.Process, int] = {}
    for process in found:
        # A process of a connection may have ended meanwhile.
        with suppress(psutil.NoSuchProcess):
            parents[process] = process.ppid()
    (postmaster,) = [process for process, parent in parents.items() if parent not in {other.pid for other in found}]
    return postmaster


def wait_for_process(data_dir: Path, title: str) -> psutil.Process:
    """Return a PostgreSQL process of the data folder, once one has the text in its title.

    A new process has the title of its parent for a moment.
    """
    found: list[psutil.Process] = []

    def find() -> list[psutil.Process]:
        for process in postgres_processes(data_dir):
            with suppress(psutil.NoSuchProcess):
                if title in " ".join(process.cmdline()):
                    found.append(process)
        return found

    eventually(find, f"PostgreSQL has no process {title!r}")
    return found[0]


@contextmanager
def other_user(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that uses the data folder; yield it once the server runs."""
    command = [sys.executable, "-c", USER_SCRIPT, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        try:
            yield process
        finally:
            process.kill()


def answers(url: str) -> bool:
    """Return whether the database answers a query."""
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False
