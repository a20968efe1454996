"""Behind PgBouncer, which lends connections for a transaction at a time: reads go through it, what needs a session past it."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db.migrate import migrate
from tests.chaos.database import crashable_server
from tests.chaos.run import find_free_port
from tests.faults.readers import Readings, reading
from tests.faults.world import Question, make_world
from tests.support.fixtures.server import running_worker
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

OLDEST = (1, 22)
"""Before it, statements that are prepared on one connection are unknown on the next."""
INI = """\
[databases]
* = host={host} port={port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
server_login_retry = 1
{pooling}
"""
TRANSACTION = """\
pool_mode = transaction
default_pool_size = 3
max_prepared_statements = 200
"""
SESSION = """\
pool_mode = session
default_pool_size = 30
"""
UPLOAD = """
mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { id status } userErrors { code } } }
"""
REVERT = "mutation ($id: ID!) { revertBatch(id: $id) { batch { status } } }"


@pytest.fixture
def any_command() -> str:
    """PgBouncer, where there is one."""
    found = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed")
    return found


@pytest.fixture
def command(any_command: str) -> str:
    """PgBouncer, where there is one that is new enough for lending by the transaction."""
    printed = subprocess.run([any_command, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", printed)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        pytest.skip(f"{printed.splitlines()[0]} is older than {'.'.join(map(str, OLDEST))}")
    return any_command


class Bouncer:
    """A PgBouncer before a database that can be ended and started again."""

    def __init__(self, command: str, database_url: str, folder: Path, pooling: str) -> None:
        known = conninfo_to_dict(database_url)
        self._port = find_free_port()
        self._ini = folder / "pgbouncer.ini"
        port = known.get("port") or 5432
        self._ini.write_text(INI.format(host=known["host"], port=port, listen_port=self._port, pooling=pooling))
        folder.chmod(0o755)
        self._command = command
        # It refuses to run as root; then it runs as whoever the database runs as, whose socket it must reach.
        self._user = Path(str(known["host"])).owner() if os.geteuid() == 0 else None
        self.url = make_conninfo(database_url, host="127.0.0.1", port=self._port)
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [self._command, self._ini], user=self._user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            eventually(self._answers, "PgBouncer does not answer")
        except AssertionError:
            self.kill()
            raise

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


@contextmanager
def bouncing(command: str, database_url: str, *, pooling: str = TRANSACTION) -> Iterator[Bouncer]:
    """Run a PgBouncer before the database."""
    with TemporaryDirectory(prefix="ratesgraph-") as folder:
        bouncer = Bouncer(command, database_url, Path(folder), pooling)
        try:
            yield bouncer
        finally:
            bouncer.kill()


@pytest.fixture
def questions(database_url: str) -> list[Question]:
    """Questions about the test's database."""
    return make_world(database_url)


def wait_for(readings: Readings, count: int) -> None:
    """Wait until so many more are answered."""
    count += len(readings.all)
    eventually(lambda: len(readings.all) >= count, "nobody is answered", 60)


def test_pgbouncer_reads_are_correct_and_survive_its_restart(
    command: str, database_url: str, questions: list[Question]
) -> None:
    settings = {"RATESGRAPH_CACHE_BYTES": "0", "RATESGRAPH_DIRECT_URL": database_url}
    with bouncing(command, database_url) as bouncer, serving(bouncer.url, settings=settings) as (_, url):
        wait_until_answered(url)
        # More readers than there are connections to PostgreSQL: they do take turns.
        with reading(url, questions, keeping=8, closing=8) as readings:
            wait_for(readings, 500)
            for _ in range(2):
                bouncer.kill()
                time.sleep(1)
                bouncer.start()
                wait_for(readings, 100)
        assert readings.wrong == []


def test_pgbouncer_reads_survive_an_outage_of_the_database(any_command: str) -> None:
    with TemporaryDirectory(prefix="ratesgraph-") as folder, crashable_server(Path(folder)) as server:
        migrate(server.url)
        questions = make_world(server.url)
        settings = {"RATESGRAPH_CACHE_BYTES": "0", "RATESGRAPH_DIRECT_URL": server.url, "RATESGRAPH_LOG_LEVEL": "error"}
        with (
            bouncing(any_command, server.url, pooling=SESSION) as bouncer,
            serving(bouncer.url, settings=settings) as (_, url),
        ):
            wait_until_answered(url)
            with reading(url, questions, keeping=4, closing=4) as readings:
                wait_for(readings, 100)
                server.crash()
                # Longer than the pool waits for a connection, which PgBouncer still gives.
                time.sleep(4)
                server.start()
                wait_for(readings, 100)
            assert readings.wrong == []


def test_pgbouncer_does_not_break_uploads_reverts_or_notifications(
    command: str, database_url: str, questions: list[Question]
) -> None:
    token = authorization_header(create_api_token(database_url, "admin"))
    settings = {"RATESGRAPH_DIRECT_URL": database_url}
    query = "/graphql?query={locations(first:1){totalCount}}"
    price = {"dateFrom": "2024-01-01", "origin": "CNSGH", "destination": "NLRTM", "price": 5}
    assert questions
    with (
        bouncing(command, database_url) as bouncer,
        serving(bouncer.url, settings=settings) as (_, url),
        running_worker(database_url),
        httpx.Client(base_url=url, headers={**token, "Accept": "application/json"}, timeout=30) as http,
    ):
        eventually(lambda: "etag" in http.get(query).headers, "the version of the data is not known")
        tag = http.get(query).headers["etag"]
        uploaded: dict[str, Any] = {}
        for key in range(8):
            body = {
                "query": UPLOAD,
                "variables": {"input": {"prices": [price], "idempotencyKey": str(key), "waitMs": 20_000}},
            }
            uploaded = http.post("/graphql", json=body).json()["data"]["uploadPrices"]
            assert (uploaded["batch"]["status"], uploaded["userErrors"]) == ("APPLIED", [])
        eventually(lambda: http.get(query).headers.get("etag") not in {None, tag}, "the change was not heard of")
        body = {"query": REVERT, "variables": {"id": uploaded["batch"]["id"]}}
        assert http.post("/graphql", json=body).json()["data"]["revertBatch"]["batch"]["status"] == "REVERTED"
