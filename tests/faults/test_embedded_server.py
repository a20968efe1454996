"""Deaths of the embedded PostgreSQL, of `serve`, and of commands that share the data folder."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from db.embedded.supervisor import embedded_server
from db.migrate import migrate
from tests.support.commands.processes import ratesgraph
from tests.support.databases.embedded import (
    answers,
    other_user,
    postgres_processes,
    postmaster_of,
    wait_for_process,
)
from tests.support.databases.memory import temporary_folder
from tests.support.faults.readers import reading
from tests.support.faults.world import QueryCase, create_query_cases
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS, eventually

WAIT_SECONDS = 30
"""How long a read waits for the database: longer than PostgreSQL takes to start on a busy machine."""
SETTINGS = {
    "RATESGRAPH_CACHE_BYTES": "0",
    "RATESGRAPH_LOG_LEVEL": "error",
    "RATESGRAPH_DATABASE_WAIT_SECONDS": str(WAIT_SECONDS),
    "RATESGRAPH_EXECUTION_SECONDS": str(2 * WAIT_SECONDS),
}
UPLOAD = """mutation {
  uploadPrices(input: {prices: [{dateFrom: "2030-01-01", origin: "CNSGH", destination: "NLRTM", price: 7}], waitMs: 30000}) {
    batch { status }
  }
}"""


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Path, list[QueryCase]]]:
    """Yield a data folder with prices, and queries about it."""
    with temporary_folder() as folder:
        with embedded_server(folder) as url:
            migrate(url)
            cases = create_query_cases(url)
        yield folder, cases


@contextmanager
def serving_folder(folder: Path, workers: int = 1) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the data folder; yield the process and the URL once it is ready."""
    with serving(None, "--data-dir", folder, "--no-demo", "--workers", str(workers), settings=SETTINGS) as served:
        assert wait_until_answered(served[1]).text == "ready\n"
        yield served


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_of_the_embedded_database_under_load_fails_no_read(
    world: tuple[Path, list[QueryCase]], workers: int
) -> None:
    folder, cases = world
    with serving_folder(folder, workers) as (_, url), reading(url, cases, persistent=4, short_lived=4) as readings:
        for _ in range(3):
            readings.wait_for_correct(100)
            killed = postmaster_of(folder)
            killed.kill()
            killed.wait(DEADLINE_SECONDS)
        readings.wait_for_correct(200)
        assert readings.incorrect == []
        assert max(one.seconds for one in readings.all) < WAIT_SECONDS
        # The worker has found the database again, too.
        assert httpx.post(f"{url}/graphql", json={"query": UPLOAD}, timeout=DEADLINE_SECONDS).json() == {
            "data": {"uploadPrices": {"batch": {"status": "APPLIED"}}}
        }
    eventually(lambda: postgres_processes(folder) == [], "PostgreSQL still runs")


def test_kill_of_a_backend_under_load_fails_no_read(world: tuple[Path, list[QueryCase]]) -> None:
    folder, cases = world
    with serving_folder(folder) as (_, url), reading(url, cases, persistent=4, short_lived=4) as readings:
        readings.wait_for_correct(100)
        wait_for_process(folder, "[local]").kill()
        readings.wait_for_correct(200)
        assert readings.incorrect == []


def test_kill_of_a_sharing_command_leaves_no_database_running(world: tuple[Path, list[QueryCase]]) -> None:
    folder, _ = world
    with serving_folder(folder) as (process, url):
        with other_user(folder) as command:
            command.kill()
            command.wait()
        assert httpx.get(f"{url}/readyz", timeout=DEADLINE_SECONDS).text == "ready\n"
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
        assert postgres_processes(folder) == []


def test_end_of_serve_does_not_cut_off_a_sharing_command(world: tuple[Path, list[QueryCase]]) -> None:
    folder, _ = world
    with serving_folder(folder) as (process, _), other_user(folder) as command, embedded_server(folder) as url:
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
        command.kill()
        command.wait()
        assert answers(url)
    assert postgres_processes(folder) == []


def test_short_command_does_not_stop_the_database_of_serve(world: tuple[Path, list[QueryCase]], tmp_path: Path) -> None:
    folder, _ = world
    (tmp_path / "prices.csv").write_text("origin_code,destination_code,day,price\nCNSGH,NLRTM,2030-01-01,10\n")
    with serving_folder(folder) as (_, url):
        postmaster = postmaster_of(folder)
        assert "applied" in ratesgraph(None, "prices", "load", tmp_path / "prices.csv", "--data-dir", folder).stdout
        assert postmaster_of(folder) == postmaster
        assert httpx.get(f"{url}/readyz", timeout=DEADLINE_SECONDS).text == "ready\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_of_serve_leaves_nothing_running_and_the_next_one_starts(
    world: tuple[Path, list[QueryCase]], workers: int
) -> None:
    folder, _ = world
    with serving_folder(folder, workers) as (process, _):
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        # The next one starts at once, while the rest of the killed one still ends.
        with serving_folder(folder, workers) as (_, url):
            assert httpx.get(f"{url}/readyz", timeout=DEADLINE_SECONDS).text == "ready\n"
    started = time.monotonic()
    for child in children:
        child.wait(max(0.0, started + DEADLINE_SECONDS - time.monotonic()))
    eventually(lambda: postgres_processes(folder) == [], "PostgreSQL still runs")
