"""Server processes are replaced while everybody goes on asking. `make restarts` is the long run."""

import os
import re
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from db.migrate import migrate
from tests.chaos.database import crashable_server
from tests.faults.restarts import REPLACED, Printed, children, restart_again_and_again
from tests.server.test_command import serving, wait_until_answered
from tests.streams import until

ENDED = re.compile(r"server process \d+ has ended with code -9; another is started")
CANNOT_START = re.compile(r"server process \d+ has ended with code 3; another is started")
GIVEN_UP = re.compile("the restart has ended, the others stay")
LINGER = {"RATESGRAPH_LINGER_SECONDS": "1.5"}


def test_no_request_fails_while_processes_are_replaced(database_url: str) -> None:
    figures = restart_again_and_again(
        database_url, restarts=3, requests=2_000, readers=8, settings={"RATESGRAPH_CACHE_BYTES": "0"}
    )
    assert figures.wrong == []
    assert len(figures.restarts) >= 3
    assert figures.requests >= 2_000


def test_a_process_that_dies_is_started_again_and_ever_more_rarely(database_url: str) -> None:
    with serving(database_url, "--workers", "2") as (process, url):
        wait_until_answered(url)
        printed = Printed(process)
        begun = time.monotonic()
        for deaths in (1, 2, 3):
            until(lambda: len(children(process.pid)) == 2, "no other process was started", 60)
            killed = max(children(process.pid))
            os.kill(killed, signal.SIGKILL)
            until(lambda count=deaths: printed.count(ENDED) == count, "nobody noticed", 60)  # type: ignore[misc]
            assert wait_until_answered(url).status_code == 200
        # At once, after one second, after two.
        assert time.monotonic() - begun > 3


def test_processes_that_cannot_start_leave_those_that_serve() -> None:
    with TemporaryDirectory(prefix="ratesgraph-") as folder, crashable_server(Path(folder)) as server:
        migrate(server.url)
        with serving(server.url, "--workers", "2") as (process, url):
            wait_until_answered(url)
            printed = Printed(process)
            # After a restart both of them serve, which nothing else tells from outside.
            process.send_signal(signal.SIGHUP)
            until(lambda: printed.count(REPLACED), "the processes were not replaced", 60)
            survivor, killed = sorted(children(process.pid))
            server.crash()
            process.send_signal(signal.SIGHUP)
            until(lambda: printed.count(GIVEN_UP), "the restart did not end", 60)
            assert children(process.pid) == {survivor, killed}
            os.kill(killed, signal.SIGKILL)
            until(lambda: printed.count(CANNOT_START), "no process has tried to start", 60)
            assert survivor in children(process.pid)
            server.start()
            until(lambda: len(children(process.pid)) == 2, "no process was started", 60)
            until(lambda: wait_until_answered(url).status_code == 200, "the survivor does not serve", 60)
            assert survivor in children(process.pid)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_is_told_to_stop_is_unready_at_once_and_answers_on(database_url: str, workers: str) -> None:
    with serving(database_url, "--workers", workers, settings=LINGER) as (process, url):
        wait_until_answered(url)
        process.send_signal(signal.SIGTERM)
        # The supervisor looks at its signals twice a second.
        until(lambda: httpx.get(f"{url}/readyz").status_code == 503, "the server is ready on its way out")
        began = time.monotonic()
        for path in ("livez", "graphql?query={__typename}"):
            answer = httpx.get(f"{url}/{path}", headers={"Accept": "application/json"})
            assert answer.status_code == 200
            assert answer.headers["connection"] == "close"
        process.wait(timeout=30)
        assert 0.5 < time.monotonic() - began < 10


def test_ctrl_c_does_not_linger(database_url: str) -> None:
    with serving(database_url, settings={"RATESGRAPH_LINGER_SECONDS": "20"}) as (process, url):
        wait_until_answered(url)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
