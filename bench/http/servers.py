"""Servers of the HTTP benchmarks: Ratesgraph and its peers, on loopback.

npm installs the Node.js peers into .bench/, which git ignores, with a separate Node.js.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

import orjson
import psycopg

from bench.processes import NO_RATE_LIMIT
from server.runtime.child_processes import COMMAND

SOURCES = Path(__file__).parents[1] / "peers"
INSTALLED = SOURCES.parents[1] / ".bench" / "node"
NPM_MISSING = "npm is not installed: the Node.js peers are skipped."
CORES = min(len(os.sched_getaffinity(0)), 8)
PROCESSES = sorted({1, CORES})
"""Process counts that each server is measured with."""
POOL_SIZE = 8
"""Database connections of a server, divided among its processes: several per core of the database."""
START_SECONDS = 60
METHODS = {
    "by_totals": "Ratesgraph's totals",
    "by_join": "recursive join",
    "by_arrays": "recursive arrays",
    "by_percentiles": "percentile_cont in a recursive join",
    "by_view": "table of answers",
}
"""Method that the functions of each schema use."""


@dataclass(frozen=True, slots=True)
class Server:
    """Running server. `pid` is its main process, which may have child processes."""

    name: str
    url: str
    pid: int


def database_url(server_url: str, name: str) -> str:
    """Return the URL of a database, in the form that the drivers of all languages accept."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


@contextmanager
def ratesgraph(database: str, *, processes: int, cache_bytes: int) -> Iterator[Server]:
    """Run Ratesgraph; 0 `cache_bytes` disable the response cache."""
    name = f"Ratesgraph × {processes}"
    environment = {
        "DATABASE_URL": database,
        "RATESGRAPH_CACHE_BYTES": str(cache_bytes),
        "RATESGRAPH_POOL_SIZE": str(pool_size(processes)),
        **NO_RATE_LIMIT,
    }
    command = [*COMMAND, "serve", "--no-demo", "--port", "0"]
    with psycopg.connect(database, autocommit=True) as connection:
        before = _count_listeners(connection)
        with _run(name, [*command, "--workers", str(processes)], environment, lines=1) as server:
            # The URL is printed before the child processes are ready; each one LISTENs for changes once it is.
            deadline = time.monotonic() + START_SECONDS
            while _count_listeners(connection) < before + processes:
                assert time.monotonic() < deadline, f"{name} did not start {processes} processes"
                time.sleep(0.05)
            yield server


def _count_listeners(connection: psycopg.Connection) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN %'"
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def postgraphile(database: str, schema: str, *, processes: int) -> Iterator[Server]:
    """Run PostGraphile over the functions of one schema."""
    with _run_node("PostGraphile", "postgraphile.mjs", database, schema, processes) as server:
        yield server


@contextmanager
def mercurius(database: str, schema: str, *, processes: int) -> Iterator[Server]:
    """Run Mercurius over the functions of one schema."""
    with _run_node("Mercurius", "mercurius.mjs", database, schema, processes) as server:
        yield server


@contextmanager
def stock_strawberry(database: str, schema: str, *, processes: int) -> Iterator[Server]:
    """Run a stock Strawberry application over the functions of one schema."""
    environment = _peer_environment(database, schema, processes)
    with _run_uvicorn(
        f"Strawberry × {processes}, {METHODS[schema]}", "bench.peers.stock:app", environment, processes
    ) as server:
        yield server


@contextmanager
def bare(responses: Path, *, processes: int) -> Iterator[Server]:
    """Run the bare ASGI application that sends the files of a folder."""
    with _run_uvicorn(
        f"bare ASGI × {processes}", "bench.peers.bare:app", {"RESPONSES_DIR": str(responses)}, processes
    ) as server:
        yield server


def install_peers() -> bool:
    """Install the Node.js peers if needed. Return False without npm; raise when npm fails."""
    wanted = (SOURCES / "package.json").read_bytes()
    marker = INSTALLED / "installed.json"
    if not marker.exists() or marker.read_bytes() != wanted:
        if shutil.which("npm") is None:
            return False
        INSTALLED.mkdir(parents=True, exist_ok=True)
        (INSTALLED / "package.json").write_bytes(wanted)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=INSTALLED, check=True, stdout=subprocess.DEVNULL)
        marker.write_bytes(wanted)
    # Node.js resolves modules relative to the script's folder.
    for script in SOURCES.glob("*.mjs"):
        shutil.copy(script, INSTALLED)
    return True


def peer_versions() -> str:
    """Return the names and versions of the npm packages."""
    wanted = orjson.loads((SOURCES / "package.json").read_bytes())["dependencies"]
    return ", ".join(f"{name} {number}" for name, number in wanted.items())


def pool_size(processes: int) -> int:
    """Return the number of database connections per process."""
    return max(POOL_SIZE // processes, 1)


def _peer_environment(database: str, schema: str, processes: int) -> dict[str, str]:
    return {"DATABASE_URL": database, "PEER_SCHEMA": schema, "POOL_SIZE": str(pool_size(processes))}


@contextmanager
def _run_node(peer: str, script: str, database: str, schema: str, processes: int) -> Iterator[Server]:
    node = INSTALLED / "node_modules" / ".bin" / "node"
    environment = {
        **_peer_environment(database, schema, processes),
        "PROCESSES": str(processes),
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
    }
    name = f"{peer} × {processes}, {METHODS[schema]}"
    with _run(name, [str(node), str(INSTALLED / script)], environment, lines=processes) as server:
        yield server


@contextmanager
def _run_uvicorn(name: str, app: str, environment: Mapping[str, str], processes: int) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--workers", str(processes), "--log-level", "warning", "--no-server-header"]
    command = [sys.executable, "-m", "uvicorn", app, *options]
    with _run(name, command, environment, lines=processes, url=f"http://127.0.0.1:{port}") as server:
        yield server


@contextmanager
def _run(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    lines: int,
    url: str | None = None,
) -> Iterator[Server]:
    """Run a server that prints `lines` lines when it is ready, by default with its URL."""
    with (
        TemporaryFile("w+") as stderr,
        subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=SOURCES.parents[1],
        ) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if re.search(r"^ready|http://\S+/graphql", line):
                    address = re.search(r"http://[^/\s]+", line)
                    url = address[0] if address else url
                    lines -= 1
                if not lines:
                    break
            stderr.seek(0)
            assert not lines, f"{name} did not start: {stderr.read()[-2_000:]}"
            assert url is not None, f"{name} did not print its URL"
            yield Server(name, url, process.pid)
        finally:
            process.terminate()
            process.wait(START_SECONDS)
