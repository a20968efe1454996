"""A full disk of the embedded PostgreSQL: uploads are refused in time, and it recovers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from db.embedded import supervisor
from db.embedded.cluster import cluster_in
from db.embedded.supervisor import embedded_server
from db.errors import DatabaseUnavailable, DiskFull, EmbeddedServerError
from db.migrate import migrate
from tests.support.batches.price_files import CSV, form
from tests.support.commands.processes import ratesgraph
from tests.support.databases.embedded import answers, postgres_processes, postmaster_of
from tests.support.databases.small_disk import SmallDisk, small_disk
from tests.support.faults.world import create_query_cases
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS, eventually

DISK_MEGABYTES = 400
MIN_FREE_BYTES = 40_000_000
SETTINGS = {"RATESGRAPH_MIN_FREE_BYTES": str(MIN_FREE_BYTES), "RATESGRAPH_DATABASE_WAIT_SECONDS": "1"}
CHANGES = [
    'mutation { upsertRegions(regions: [{slug: "far", name: "Far"}]) { userErrors { code } } }',
    'mutation { upsertPorts(ports: [{code: "CNSGH", name: "New", parentSlug: "far"}]) { userErrors { code } } }',
    'mutation { moveLocation(key: "CNSGH", parentSlug: "far") { userErrors { code } } }',
]
QUERY = '{ averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "CNSGH", destination: "NLRTM") { day } }'
UPLOAD = """mutation ($input: UploadPricesInput!) {
  uploadPrices(input: $input) { replayed batch { status } preview { status } }
}"""
PRICE = {"dateFrom": "2024-01-01", "origin": "CNSGH", "destination": "NLRTM", "price": 7}


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk]:
    """Yield a small disk that holds a data folder with a little world."""
    with small_disk(DISK_MEGABYTES) as disk:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(supervisor, "FIRST_START_BYTES", 0)
            with embedded_server(disk.folder / "data") as url:
                migrate(url)
                create_query_cases(url)
        yield disk


@pytest.fixture(autouse=True)
def room(disk: SmallDisk) -> Iterator[None]:
    """Give the room back after a test that has failed."""
    yield
    disk.empty()


class FullDiskClient:
    """Client of a server whose disk fills up."""

    def __init__(self, http: httpx.Client, log: Path) -> None:
        self._http = http
        self._log = log

    def log(self) -> str:
        """Return what the server has logged."""
        return self._log.read_text()

    def readyz(self) -> tuple[int, list[str]]:
        """Return the status of the readiness probe, and its lines."""
        response = self._http.get("/readyz")
        return response.status_code, response.text.splitlines()

    def query(self) -> Any:  # noqa: ANN401
        """Return the averages of a day."""
        return self._http.post("/graphql", json={"query": QUERY}).json()["data"]["averagePrices"]

    def post(self, query: str) -> httpx.Response:
        """Send an operation."""
        return self._http.post("/graphql", json={"query": query})

    def upload(self, **options: object) -> httpx.Response:
        """Upload one price and wait for its batch, for the worker may be starting again."""
        variables = {"input": {"prices": [PRICE], "waitMs": 30_000, **options}}
        return self._http.post("/graphql", json={"query": UPLOAD, "variables": variables})

    def upload_file(self, **options: object) -> httpx.Response:
        """Upload a file of prices."""
        return self._http.post("/graphql", **form(CSV, "prices.csv", **options))


@contextmanager
def serving_disk(disk: SmallDisk, tmp_path: Path, *arguments: str) -> Iterator[FullDiskClient]:
    """Serve the data folder on the disk; yield a client."""
    path = tmp_path / "log"
    options: list[str | Path] = ["--data-dir", disk.folder / "data", "--no-demo", *arguments]
    with path.open("w") as log, serving(None, *options, settings=SETTINGS, log=log) as (_, url):
        assert wait_until_answered(url).text == "ready\n"
        with httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as http:
            yield FullDiskClient(http, path)


def write_until_crash(url: str) -> None:
    """Write to PostgreSQL's log (WAL) until its disk is full, which ends the server."""
    with psycopg.connect(url, autocommit=True) as connection, pytest.raises(psycopg.OperationalError):  # noqa: PT012
        while True:
            connection.execute("SELECT pg_logical_emit_message(true, 'test', repeat('x', 1000000))")


def refused(response: httpx.Response) -> dict[str, int]:
    """Return the figures of a refused upload."""
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    (error,) = response.json()["errors"]
    assert "data" not in response.json()
    assert error["extensions"].pop("code") == "NO_ROOM"
    figures: dict[str, int] = error["extensions"]
    assert f"{figures['freeBytes']:,} bytes are free" in error["message"]
    return figures


@pytest.mark.parametrize("workers", ["1", "2"])
def test_uploads_are_refused_before_the_disk_is_full(disk: SmallDisk, tmp_path: Path, workers: str) -> None:
    with serving_disk(disk, tmp_path, "--workers", workers) as client:
        first = client.upload(idempotencyKey=f"first {workers}").json()["data"]["uploadPrices"]
        assert first == {"replayed": False, "batch": {"status": "APPLIED"}, "preview": None}
        found = client.post(f'{{ batchByKey(idempotencyKey: "first {workers}") {{ id }} }}').json()
        batch_id = found["data"]["batchByKey"]["id"]
        changes = [*CHANGES, f'mutation {{ revertBatch(id: "{batch_id}") {{ userErrors {{ code }} }} }}']
        disk.fill(leave=MIN_FREE_BYTES // 2)
        for send in (client.upload, client.upload_file):
            for is_dry in (False, True):
                figures = refused(send(dryRun=is_dry))
                assert figures["freeBytes"] < MIN_FREE_BYTES <= figures["requiredBytes"]
        status, lines = client.readyz()
        assert (status, lines[0]) == (200, "ready")
        assert "disk is full" in lines[1]
        assert client.query() == [{"day": "2024-01-01"}]
        replay = client.upload(idempotencyKey=f"first {workers}").json()["data"]["uploadPrices"]
        assert replay == {**first, "replayed": True}
        (tmp_path / "prices.csv").write_bytes(CSV)
        load: list[str | Path] = ["prices", "load", tmp_path / "prices.csv", "--data-dir", disk.folder / "data"]
        assert "NO_ROOM" in ratesgraph(None, *load, settings=SETTINGS, exit_code=1).stderr
        for change in changes:
            assert refused(client.post(change))["requiredBytes"] == MIN_FREE_BYTES
        (tmp_path / "regions.csv").write_text("slug,name,parent_slug\nnew,New,\n")
        commands: list[list[str | Path]] = [
            ["locations", "load", "--regions", tmp_path / "regions.csv"],
            ["rates", "refresh"],
            ["compact"],
            ["verify", "--repair"],
        ]
        for command in commands:
            options = [*command, "--data-dir", disk.folder / "data"]
            assert "NO_ROOM" in ratesgraph(None, *options, settings=SETTINGS, exit_code=1).stderr
        disk.empty()
        for change in changes:
            assert "errors" not in client.post(change).json()
        assert client.readyz() == (200, ["ready"])
        assert client.upload().json()["data"]["uploadPrices"]["batch"] == {"status": "APPLIED"}
        assert client.upload_file().json()["data"]["uploadPriceFile"]["batch"]["status"] == "APPLIED"
        assert "disk is full" in client.log()
        assert "disk has room again" in client.log()


def test_database_that_died_of_a_full_disk_runs_again_once_there_is_room(disk: SmallDisk, tmp_path: Path) -> None:
    data = disk.folder / "data"
    with serving_disk(disk, tmp_path) as client:
        disk.fill()
        write_until_crash(cluster_in(data).url)

        def is_away() -> bool:
            # The crash has freed some blocks. Without any, PostgreSQL ends, or runs and refuses each connection.
            disk.fill()
            return client.readyz()[0] == 503

        eventually(is_away, "the database still answers")
        status, lines = client.readyz()
        assert status == 503
        assert lines[0] in {str(DatabaseUnavailable()), str(DiskFull())}
        assert "disk is full" in lines[1]
        assert "disk is full" in client.log()
        assert refused(client.upload())["freeBytes"] < MIN_FREE_BYTES
        disk.empty()
        eventually(lambda: client.readyz() == (200, ["ready"]), "the database was not started again")
        assert client.query() == [{"day": "2024-01-01"}]
        assert client.upload().json()["data"]["uploadPrices"]["batch"] == {"status": "APPLIED"}
    assert postgres_processes(data) == []


def test_restart_on_a_full_disk_is_tried_until_there_is_room(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Time to fill the disk before the first attempt.
    monkeypatch.setattr(supervisor, "POLL_SECONDS", 2.0)
    with embedded_server(disk.folder / "data") as url:
        postmaster = postmaster_of(disk.folder / "data")
        # Almost full, so that it is full a moment after the end.
        disk.fill()
        postmaster.kill()
        postmaster.wait(DEADLINE_SECONDS)
        for path in (disk.folder / "data" / "postgresql").glob("*postmaster.*"):
            path.unlink()
        disk.fill()
        message = f"could not be started in {disk.folder / 'data' / 'postgresql'}: the disk is full (0 bytes free)"
        eventually(lambda: sum(message in line for line in caplog.messages) >= 2, "the log does not name the reason")
        disk.empty()
        eventually(lambda: answers(url), "the server was not started again")


def test_embedded_server_on_a_full_disk_names_the_reason() -> None:
    with small_disk(20) as disk:
        disk.fill(leave=1_000_000)
        with pytest.raises(EmbeddedServerError, match="the disk is full"), embedded_server(disk.folder / "data"):
            pass


def test_first_start_with_too_little_room_says_how_much_it_requires() -> None:
    with small_disk(420) as disk:
        message = re.escape(f"the disk has {disk.free_bytes:,} free bytes, and a first start requires 600,000,000.")
        with pytest.raises(EmbeddedServerError, match=message), embedded_server(disk.folder / "data"):
            pass
        assert not (disk.folder / "data" / "postgresql").exists()


def test_first_start_that_was_interrupted_checks_the_room_for_the_demo_data_again(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = disk.folder / "interrupted"
    monkeypatch.setattr(supervisor, "FIRST_START_BYTES", 0)
    with embedded_server(data):
        pass
    done = ratesgraph(None, "serve", "--port", "0", "--data-dir", data, exit_code=1)
    assert "The demo data were not loaded (--no-demo serves without them): NO_ROOM" in done.stderr
    assert "requires 450,000,000" in done.stderr
    assert postgres_processes(data) == []
