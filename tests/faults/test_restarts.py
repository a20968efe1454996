"""Replacement of server processes under load. `make restarts` is the long run."""

import os
import re
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.faults.restarts import REPLACED, ProcessOutput, children, restart_repeatedly
from tests.support.commands.processes import open_files
from tests.support.databases.refusal import refused_connections
from tests.support.deployment.releases import require_deployment
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS, eventually

ENDED = re.compile(r"server process \d+ exited with code -9; restarting it")
CANNOT_START = re.compile(r"server process \d+ exited with code 3; restarting it")
ABORTED = re.compile("rolling restart aborted, the other processes stay")
LISTENS = "0A"
DRAIN_SECONDS = 10.0
LINGER = {"RATESGRAPH_DRAIN_SECONDS": str(DRAIN_SECONDS)}


def test_rolling_restart_fails_no_request(database_url: str) -> None:
    figures = restart_repeatedly(
        database_url, restarts=3, requests=2_000, readers=8, settings={"RATESGRAPH_CACHE_BYTES": "0"}
    )
    assert figures.failed_requests == []
    assert len(figures.restarts) >= 3
    assert figures.requests >= 2_000


def test_rolling_restart_into_the_next_release_fails_no_request(empty_database_url: str, tmp_path: Path) -> None:
    deployment = require_deployment(tmp_path)
    figures = restart_repeatedly(
        empty_database_url,
        restarts=2,
        requests=300,
        readers=4,
        settings={"RATESGRAPH_CACHE_BYTES": "0"},
        deployment=deployment,
    )
    assert figures.failed_requests == []
    assert len(figures.restarts) >= 2


def test_supervisor_replaces_a_killed_process_with_increasing_delay(database_url: str) -> None:
    with serving(database_url, "--workers", "2") as (process, url):
        wait_until_answered(url)
        output = ProcessOutput(process)
        start = time.monotonic()
        for exits in (1, 2, 3):
            eventually(lambda: len(children(process.pid)) == 2, "no other process was started")
            killed = max(children(process.pid))
            os.kill(killed, signal.SIGKILL)
            eventually(lambda count=exits: output.count(ENDED) == count, "the exit was not detected")  # type: ignore[misc]
            assert wait_until_answered(url).status_code == 200
        # The restart delays: none, one second, two seconds.
        assert time.monotonic() - start > 3


def test_rolling_restart_is_aborted_if_new_processes_cannot_start(database_url: str, postgres: str) -> None:
    with serving(database_url, "--workers", "2") as (process, url):
        wait_until_answered(url)
        output = ProcessOutput(process)
        # After a restart both processes serve, which is not visible otherwise.
        process.send_signal(signal.SIGHUP)
        eventually(lambda: output.count(REPLACED), "the processes were not replaced")
        survivor, killed = sorted(children(process.pid))
        with refused_connections(database_url, postgres):
            process.send_signal(signal.SIGHUP)
            eventually(lambda: len(children(process.pid)) == 3, "no process has tried to start")
            os.kill(killed, signal.SIGKILL)
            # Neither the successor nor the replacement can connect to the database.
            eventually(lambda: output.count(ABORTED), "the restart did not end")
            eventually(lambda: output.count(CANNOT_START), "no process has tried to start")
            assert survivor in children(process.pid)
            assert wait_until_answered(url).status_code == 200
        eventually(lambda: len(children(process.pid)) == 2, "no process was started")
        assert wait_until_answered(url).status_code == 200
        assert survivor in children(process.pid)


def is_listening(pid: int, url: str) -> bool:
    """Return whether the process listens on the address of the server."""
    end = f":{int(url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    (inode,) = [line[9] for line in lines if line[1].endswith(end) and line[3] == LISTENS]
    return f"socket:[{inode}]" in open_files(pid)


def test_supervisor_handles_a_crash_and_sigterm_while_a_process_drains(database_url: str) -> None:
    drain_seconds = 20.0
    settings = {"RATESGRAPH_DRAIN_SECONDS": str(drain_seconds)}
    with serving(database_url, "--workers", "2", settings=settings) as (process, url):
        wait_until_answered(url)
        output = ProcessOutput(process)
        eventually(lambda: len(children(process.pid)) == 2, "the processes did not start")
        # They are started and replaced in this order.
        draining, other = sorted(children(process.pid))
        process.send_signal(signal.SIGHUP)
        eventually(lambda: not is_listening(draining, url), "no process was asked to stop")
        os.kill(other, signal.SIGKILL)
        eventually(lambda: output.count(ENDED), "the exit was not detected")
        assert draining in children(process.pid)
        process.send_signal(signal.SIGTERM)
        stopping = time.monotonic()
        assert process.wait(timeout=DEADLINE_SECONDS) == 0
        # The supervisor signals the other processes without a wait for the one that drains, which would take twice as long.
        assert time.monotonic() - stopping < 1.9 * drain_seconds
    assert not any(Path(f"/proc/{pid}").exists() for pid in (draining, other))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_graceful_shutdown_reports_unready_and_serves_requests_while_draining(database_url: str, workers: str) -> None:
    with serving(database_url, "--workers", workers, settings=LINGER) as (process, url):
        wait_until_answered(url)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        # The supervisor polls its signals twice a second.
        eventually(
            lambda: httpx.get(f"{url}/readyz", timeout=DEADLINE_SECONDS).status_code == 503,
            "the server is still ready during shutdown",
        )
        with httpx.Client(base_url=url, headers={"Accept": "application/json"}, timeout=DEADLINE_SECONDS) as http:

            def closes(path: str) -> bool:
                answer = http.get(path)
                assert answer.status_code == 200
                return "close" in answer.headers.get_list("connection")

            for path in ("/livez", "/graphql?query={__typename}"):
                # Each process polls its signals ten times a second, so another process may detect them a little later.
                eventually(lambda path=path: closes(path), "the connection stays open")  # type: ignore[misc]
        process.wait(timeout=DEADLINE_SECONDS)
        assert DRAIN_SECONDS < time.monotonic() - began < 6 * DRAIN_SECONDS


def test_sigint_stops_the_server_without_draining(database_url: str) -> None:
    with serving(database_url, settings={"RATESGRAPH_DRAIN_SECONDS": "60"}) as (process, url):
        wait_until_answered(url)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=50)
