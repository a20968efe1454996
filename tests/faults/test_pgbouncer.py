"""PgBouncer with transaction pooling: reads through it, session features past it."""

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
from tests.support.commands.ports import find_free_port
from tests.support.commands.processes import ratesgraph
from tests.support.databases.memory import temporary_folder
from tests.support.faults.readers import reading
from tests.support.faults.world import QueryCase, create_query_cases
from tests.support.fixtures.server import running_worker
from tests.support.http.server_process import one_line, serving, wait_until_answered
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

MIN_VERSION = (1, 22)
"""Older versions do not keep the prepared statements of clients apart."""
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
"""
PREPARED_STATEMENTS = "max_prepared_statements = 200\n"
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
    """The PgBouncer executable. Without it, the test is skipped."""
    found = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed")
    return found


@pytest.fixture(params=["", PREPARED_STATEMENTS], ids=["by default", "with prepared statements"])
def transaction_pooling(request: pytest.FixtureRequest, any_command: str) -> str:
    """Settings of transaction pooling; with prepared statements if the version supports them."""
    printed = subprocess.run([any_command, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", printed)
    if request.param and (version is None or (int(version[1]), int(version[2])) < MIN_VERSION):
        pytest.skip(f"{printed.splitlines()[0]} is older than {'.'.join(map(str, MIN_VERSION))}")
    return f"{TRANSACTION}{request.param}"


class PgBouncer:
    """A PgBouncer in front of a database. It can be killed and restarted."""

    def __init__(self, command: str, database_url: str, folder: Path, pooling: str) -> None:
        known = conninfo_to_dict(database_url)
        self._port = find_free_port()
        self._ini = folder / "pgbouncer.ini"
        port = known.get("port") or 5432
        self._ini.write_text(INI.format(host=known["host"], port=port, listen_port=self._port, pooling=pooling))
        folder.chmod(0o755)
        self._command = command
        # PgBouncer refuses to run as root. In that case it runs as the owner of the database's socket, which it must
        # reach.
        self._user = Path(str(known["host"])).owner() if os.geteuid() == 0 else None
        self.url = make_conninfo(database_url, host="127.0.0.1", port=self._port)
        self.start()

    def start(self) -> None:
        """Start the process and wait until it accepts connections."""
        self._process = subprocess.Popen(
            [self._command, self._ini], user=self._user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            eventually(self._is_accepting, "PgBouncer does not answer")
        except AssertionError:
            self.kill()
            raise

    def _is_accepting(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()


@contextmanager
def running_pgbouncer(command: str, database_url: str, *, pooling: str) -> Iterator[PgBouncer]:
    """Run a PgBouncer in front of the database."""
    with TemporaryDirectory(prefix="ratesgraph-") as folder:
        bouncer = PgBouncer(command, database_url, Path(folder), pooling)
        try:
            yield bouncer
        finally:
            bouncer.kill()


@pytest.fixture
def cases(database_url: str) -> list[QueryCase]:
    """Queries about the test's database, with the expected results."""
    return create_query_cases(database_url)


def test_pgbouncer_reads_are_correct_and_survive_its_restart(
    any_command: str, transaction_pooling: str, database_url: str, cases: list[QueryCase]
) -> None:
    settings = {"RATESGRAPH_CACHE_BYTES": "0", "RATESGRAPH_DIRECT_URL": database_url}
    with (
        running_pgbouncer(any_command, database_url, pooling=transaction_pooling) as bouncer,
        serving(bouncer.url, settings=settings) as (_, url),
    ):
        wait_until_answered(url)
        # More readers than connections to PostgreSQL: the connections are shared.
        with reading(url, cases, persistent=8, short_lived=8) as readings:
            readings.wait_for(500)
            for _ in range(2):
                bouncer.kill()
                time.sleep(1)
                bouncer.start()
                readings.wait_for(100)
        assert readings.incorrect == []


def test_pgbouncer_reads_survive_an_outage_of_the_database(any_command: str) -> None:
    with temporary_folder() as folder, crashable_server(folder) as server:
        migrate(server.url)
        cases = create_query_cases(server.url)
        settings = {"RATESGRAPH_CACHE_BYTES": "0", "RATESGRAPH_DIRECT_URL": server.url, "RATESGRAPH_LOG_LEVEL": "error"}
        with (
            running_pgbouncer(any_command, server.url, pooling=SESSION) as bouncer,
            serving(bouncer.url, settings=settings) as (_, url),
        ):
            wait_until_answered(url)
            with reading(url, cases, persistent=4, short_lived=4) as readings:
                readings.wait_for(100)
                server.crash()
                # Longer than the pool waits for a connection, which PgBouncer still provides.
                time.sleep(4)
                server.start()
                readings.wait_for(100)
            assert readings.incorrect == []


def test_pgbouncer_does_not_break_uploads_reverts_or_notifications(
    any_command: str, transaction_pooling: str, database_url: str, cases: list[QueryCase]
) -> None:
    token = authorization_header(create_api_token(database_url, "admin"))
    settings = {"RATESGRAPH_DIRECT_URL": database_url}
    query = "/graphql?query={locations(first:1){totalCount}}"
    price = {"dateFrom": "2024-01-01", "origin": "CNSGH", "destination": "NLRTM", "price": 5}
    assert cases
    with (
        running_pgbouncer(any_command, database_url, pooling=transaction_pooling) as bouncer,
        serving(bouncer.url, settings=settings) as (_, url),
        running_worker(database_url),
        httpx.Client(base_url=url, headers={**token, "Accept": "application/json"}, timeout=DEADLINE_SECONDS) as http,
    ):
        eventually(lambda: "etag" in http.get(query).headers, "the data version is unknown")
        tag = http.get(query).headers["etag"]
        uploaded: dict[str, Any] = {}
        for key in range(8):
            body = {
                "query": UPLOAD,
                "variables": {"input": {"prices": [price], "idempotencyKey": str(key), "waitMs": 30_000}},
            }
            uploaded = http.post("/graphql", json=body).json()["data"]["uploadPrices"]
            assert (uploaded["batch"]["status"], uploaded["userErrors"]) == ("APPLIED", [])
        eventually(lambda: http.get(query).headers.get("etag") not in {None, tag}, "the notification did not arrive")
        body = {"query": REVERT, "variables": {"id": uploaded["batch"]["id"]}}
        assert http.post("/graphql", json=body).json()["data"]["revertBatch"]["batch"]["status"] == "REVERTED"


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["migrate"], ["worker"], ["queue"]], ids=" ".join)
def test_pgbouncer_in_statement_mode_is_refused_in_one_line(
    any_command: str, database_url: str, command: list[str]
) -> None:
    with running_pgbouncer(any_command, database_url, pooling="pool_mode = statement") as bouncer:
        line = one_line(ratesgraph(bouncer.url, *command, exit_code=1).stderr)
    assert (
        "PgBouncer runs in statement mode, which allows no transactions."
        " Set pool_mode = transaction in PgBouncer, or connect to PostgreSQL itself." in line
    )


def test_pgbouncer_that_refuses_a_search_path_is_explained(any_command: str, database_url: str) -> None:
    with running_pgbouncer(any_command, database_url, pooling=SESSION) as bouncer:
        url = make_conninfo(bouncer.url, options="-csearch_path=public")
        line = one_line(ratesgraph(url, "migrate", exit_code=1).stderr)
    # Older versions refuse all options.
    assert re.search(
        r"the connection pooler does not accept the parameter (search_path|options)\. Remove it from the URL\.", line
    )
