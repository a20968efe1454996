"""Server processes are replaced while everybody goes on asking. `make restarts` is the long run."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.faults.restarts import REPLACED, Printed, children, restart_again_and_again
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import eventually

ENDED = re.compile(r"server process \d+ exited with code -9; restarting it")
CANNOT_START = re.compile(r"server process \d+ exited with code 3; restarting it")
GIVEN_UP = re.compile("rolling restart aborted, the other processes stay")
LISTENS = "0A"
LINGER = {"RATESGRAPH_DRAIN_SECONDS": "1.5"}


def test_rolling_restart_fails_no_request(database_url: str) -> None:
    figures = restart_again_and_again(
        database_url, restarts=3, requests=2_000, readers=8, settings={"RATESGRAPH_CACHE_BYTES": "0"}
    )
    assert figures.wrong == []
    assert len(figures.restarts) >= 3
    assert figures.requests >= 2_000


def test_supervisor_replaces_a_killed_process_with_increasing_delay(database_url: str) -> None:
    with serving(database_url, "--workers", "2") as (process, url):
        wait_until_answered(url)
        printed = Printed(process)
        begun = time.monotonic()
        for deaths in (1, 2, 3):
            eventually(lambda: len(children(process.pid)) == 2, "no other process was started", 60)
            killed = max(children(process.pid))
            os.kill(killed, signal.SIGKILL)
            eventually(lambda count=deaths: printed.count(ENDED) == count, "nobody noticed", 60)  # type: ignore[misc]
            assert wait_until_answered(url).status_code == 200
        # At once, after one second, after two.
        assert time.monotonic() - begun > 3


@contextmanager
def closed(database_url: str, postgres: str) -> Iterator[None]:
    """Have the database refuse new connections for the block; those that there are stay."""
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


def test_rolling_restart_is_aborted_if_new_processes_cannot_start(database_url: str, postgres: str) -> None:
    with serving(database_url, "--workers", "2") as (process, url):
        wait_until_answered(url)
        printed = Printed(process)
        # After a restart both of them serve, which nothing else tells from outside.
        process.send_signal(signal.SIGHUP)
        eventually(lambda: printed.count(REPLACED), "the processes were not replaced", 60)
        survivor, killed = sorted(children(process.pid))
        with closed(database_url, postgres):
            process.send_signal(signal.SIGHUP)
            eventually(lambda: len(children(process.pid)) == 3, "no process has tried to start", 60)
            os.kill(killed, signal.SIGKILL)
            # Neither a successor nor the one in its place finds the database.
            eventually(lambda: printed.count(GIVEN_UP), "the restart did not end", 60)
            eventually(lambda: printed.count(CANNOT_START), "no process has tried to start", 60)
            assert survivor in children(process.pid)
            assert wait_until_answered(url).status_code == 200
        eventually(lambda: len(children(process.pid)) == 2, "no process was started", 60)
        assert wait_until_answered(url).status_code == 200
        assert survivor in children(process.pid)


def lets_in(pid: int, url: str) -> bool:
    """Return whether the process listens where the server does."""
    end = f":{int(url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    (inode,) = [line[9] for line in lines if line[1].endswith(end) and line[3] == LISTENS]
    return any(str(fd.readlink()) == f"socket:[{inode}]" for fd in Path(f"/proc/{pid}/fd").iterdir())


def test_supervisor_handles_a_crash_and_sigterm_while_a_process_drains(database_url: str) -> None:
    linger = 6.0
    settings = {"RATESGRAPH_DRAIN_SECONDS": str(linger)}
    with serving(database_url, "--workers", "2", settings=settings) as (process, url):
        wait_until_answered(url)
        printed = Printed(process)
        eventually(lambda: len(children(process.pid)) == 2, "the processes were not there")
        # They are started and replaced in this order.
        leaving, other = sorted(children(process.pid))
        process.send_signal(signal.SIGHUP)
        eventually(lambda: not lets_in(leaving, url), "nobody was told to leave", 60)
        os.kill(other, signal.SIGKILL)
        eventually(lambda: printed.count(ENDED), "nobody noticed")
        assert leaving in children(process.pid)
        process.send_signal(signal.SIGTERM)
        stopping = time.monotonic()
        assert process.wait(timeout=30) == 0
        # It does not wait for the one that leaves before it tells the others.
        assert time.monotonic() - stopping < linger + 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in (leaving, other))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_graceful_shutdown_reports_unready_and_serves_requests_while_draining(database_url: str, workers: str) -> None:
    with serving(database_url, "--workers", workers, settings=LINGER) as (process, url):
        wait_until_answered(url)
        process.send_signal(signal.SIGTERM)
        # The supervisor looks at its signals twice a second.
        eventually(lambda: httpx.get(f"{url}/readyz").status_code == 503, "the server is ready on its way out")
        # Each process looks at its own ten times a second: another one may learn of it a little later.
        time.sleep(0.3)
        began = time.monotonic()
        for path in ("livez", "graphql?query={__typename}"):
            answer = httpx.get(f"{url}/{path}", headers={"Accept": "application/json"})
            assert answer.status_code == 200
            assert answer.headers["connection"] == "close"
        process.wait(timeout=30)
        assert 0.5 < time.monotonic() - began < 10


def test_sigint_stops_the_server_without_draining(database_url: str) -> None:
    with serving(database_url, settings={"RATESGRAPH_DRAIN_SECONDS": "20"}) as (process, url):
        wait_until_answered(url)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
