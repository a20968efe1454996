"""Commands on the operator's own PostgreSQL: refusals, unusual names, changed privileges."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db import pool
from db.migrate import migration_names
from db.pool import INGEST, connect
from domain.batches import BatchStatus
from ingest.tree import change_tree
from tests.support.batches.queue import WORLD, accept, wait_for
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import ratesgraph
from tests.support.databases.memory import temporary_folder
from tests.support.databases.own_server import OwnServer, own_server
from tests.support.databases.roles import execute
from tests.support.fixtures.server import JSON, running_worker
from tests.support.http.server_process import one_line, serving
from tests.support.waiting import DEADLINE_SECONDS, eventually

PASSWORD = "wr0ng-w%rd"  # noqa: S105
QUERY = "/graphql?query={locations(first:1){totalCount}}"
COMMANDS = [
    ["migrate"],
    ["prepare"],
    ["worker"],
    ["verify"],
    ["compact"],
    ["queue"],
    ["audit"],
    ["token", "create", "--name", "x", "--scope", "read"],
    ["token", "list"],
    ["token", "revoke", "0123456789abcdef"],
    ["rates", "refresh"],
    ["prices", "load", "regions.csv"],
    ["locations", "load", "--regions", "regions.csv"],
]
"""All commands that connect, except `serve`."""


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A server that requires the password of one role."""
    with temporary_folder() as folder, own_server(folder) as server:
        execute(server.url(), "CREATE ROLE secret LOGIN PASSWORD 'right'")
        yield server


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_that_cannot_log_in_prints_one_line(
    command: list[str], server: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("regions.csv").write_text("slug,name,parent_slug\nworld,World,\n")
    url, settings = server.url("secret", password=quote(PASSWORD)), {"RATESGRAPH_LOG_FORMAT": "console"}
    assert ratesgraph_in_process(url, *command, settings=settings, exit_code=1).stderr == (
        f"The database postgres at 127.0.0.1, port {server.port} cannot be reached as user secret: the password was rejected."
        " Correct the user or the password in the URL. Percent-encode special characters of the password, such as %40 for @.\n"
    )


@pytest.mark.parametrize(
    ("command", "log_format"),
    [(["serve", "--port", "0"], "json"), (["worker"], "json"), (["migrate"], "console")],
)
def test_process_that_cannot_log_in_ends_with_one_line(command: list[str], log_format: str, server: OwnServer) -> None:
    url = server.url("secret", password=quote(PASSWORD))
    done = ratesgraph(url, *command, settings={"RATESGRAPH_LOG_FORMAT": log_format}, exit_code=1)
    assert "cannot be reached as user secret: the password was rejected." in one_line(done.stderr)
    assert PASSWORD not in done.stderr
    assert quote(PASSWORD) not in done.stderr


def test_server_whose_pool_gets_too_few_connections_does_not_start(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "OPEN_SECONDS", 0.5)
    execute(
        database_url,
        "CREATE ROLE few LOGIN CONNECTION LIMIT 1",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO few",
    )
    try:
        settings = {"RATESGRAPH_DIRECT_URL": database_url, "RATESGRAPH_LOG_FORMAT": "console"}
        url = make_conninfo(database_url, user="few")
        printed = ratesgraph_in_process(url, "serve", "--port", "0", settings=settings, exit_code=1).stderr
        assert "server cannot start: The database " in printed
        assert " cannot be reached as user few: all connections of the user are in use. Raise its limit" in printed
    finally:
        execute(database_url, "DROP OWNED BY few; DROP ROLE few")


def test_pooled_url_is_checked_before_the_server_starts(database_url: str, empty_database_url: str) -> None:
    settings = {"RATESGRAPH_DIRECT_URL": database_url}
    done = ratesgraph_in_process(empty_database_url, "serve", "--port", "0", settings=settings, exit_code=1)
    assert "the schema public has no current Ratesgraph tables. Run `ratesgraph migrate` first." in done.stderr


@pytest.fixture
def unusual_url(postgres: str) -> Iterator[str]:
    """URL with names that need percent-encoding and quoting, that of the schema too."""
    database, role, schema = 'Prices 100%/2024 "new"?#&=é', "app@db: 1/2", 'My "Freight" é'
    name, owner = sql.Identifier(database).as_string(), sql.Identifier(role).as_string()
    execute(postgres, f"CREATE ROLE {owner} LOGIN", f"CREATE DATABASE {name} OWNER {owner}")
    try:
        execute(
            make_conninfo(postgres, dbname=database),
            f"CREATE SCHEMA {sql.Identifier(schema).as_string()} AUTHORIZATION {owner}",
        )
        options = "-csearch_path=" + sql.Identifier(schema).as_string().replace(" ", "\\ ")
        login = f"{quote(role, safe='')}:{quote(PASSWORD, safe='')}"
        folder = quote(str(conninfo_to_dict(postgres)["host"]), safe="")
        yield f"postgresql://{login}@/{quote(database, safe='')}?host={folder}&options={quote(options)}"
    finally:
        execute(postgres, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {owner}")


def test_names_that_need_encoding_work_everywhere(unusual_url: str) -> None:
    assert f"{len(migration_names())} migrations applied" in ratesgraph(unusual_url, "migrate").stdout
    assert ratesgraph_in_process(unusual_url, "queue").stdout.startswith("0 batches queued")
    with serving(unusual_url, "--workers", "2") as (_, url), running_worker(unusual_url):

        async def apply() -> None:
            async with connect(unusual_url, INGEST) as connection:
                await change_tree(connection, WORLD.entries())
                await wait_for(connection, await accept(connection), BatchStatus.APPLIED)

        asyncio.run(apply())
        answer = httpx.get(url + QUERY, headers=JSON, timeout=DEADLINE_SECONDS).json()
        assert answer == {"data": {"locations": {"totalCount": 3}}}
    with psycopg.connect(unusual_url) as connection:
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'prices'"
        assert connection.execute(query).fetchone() == (1,)


@pytest.fixture
def role_url(database_url: str) -> Iterator[str]:
    """URL of a role that may change data but owns no table."""
    execute(
        database_url,
        "CREATE ROLE clerk LOGIN",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
    )
    yield make_conninfo(database_url, user="clerk")
    execute(database_url, "DROP OWNED BY clerk; DROP ROLE clerk")


def test_privilege_revoked_from_a_running_server_is_logged_once(
    role_url: str, database_url: str, tmp_path: Path
) -> None:
    settings = {"RATESGRAPH_CACHE_BYTES": "0", "RATESGRAPH_LOG_FORMAT": "json"}
    with (tmp_path / "log").open("w") as log, serving(role_url, settings=settings, log=log) as (_, url):
        assert httpx.get(url + QUERY, headers=JSON, timeout=DEADLINE_SECONDS).status_code == 200
        execute(database_url, "REVOKE SELECT ON locations FROM clerk")
        for _ in range(3):
            refused = httpx.get(url + QUERY, headers=JSON, timeout=DEADLINE_SECONDS)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "2"
            assert refused.json()["errors"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"
            assert "locations" not in refused.json()["errors"][0]["message"]
        execute(database_url, "GRANT SELECT ON locations TO clerk")
        assert httpx.get(url + QUERY, headers=JSON, timeout=DEADLINE_SECONDS).status_code == 200
    printed = (tmp_path / "log").read_text()
    assert printed.count("database refuses a statement: permission denied for table locations (SQLSTATE 42501)") == 1
    assert "Traceback" not in printed


def test_privilege_revoked_from_a_worker_does_not_count_as_an_attempt(
    role_url: str, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def apply() -> int:
        async with connect(database_url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())
            with running_worker(role_url):
                await wait_for(connection, await accept(connection), BatchStatus.APPLIED)
                await asyncio.to_thread(execute, database_url, "REVOKE INSERT ON prices FROM clerk")
                waiting = await accept(connection)
                message = (
                    "database refuses the work; the worker waits: permission denied for table prices (SQLSTATE 42501)"
                )
                await asyncio.to_thread(eventually, lambda: message in caplog.text, "the worker reports nothing")
                await asyncio.to_thread(execute, database_url, "GRANT INSERT ON prices TO clerk")
                return (await wait_for(connection, waiting, BatchStatus.APPLIED)).attempts

    assert asyncio.run(apply()) == 1
    assert "Traceback" not in caplog.text


def test_refused_statement_of_a_command_is_explained(role_url: str, database_url: str) -> None:
    execute(database_url, "REVOKE INSERT ON api_tokens FROM clerk")
    create = ["token", "create", "--name", "x", "--scope", "read"]
    line = one_line(ratesgraph_in_process(role_url, *create, exit_code=1).stderr)
    assert (
        ": the role lacks INSERT on api_tokens in the schema public. Grant them as postgres, the owner: GRANT" in line
    )
    execute(database_url, "GRANT INSERT ON api_tokens TO clerk", "ALTER TABLE api_tokens ENABLE ROW LEVEL SECURITY")
    # No check covers row-level security.
    line = one_line(ratesgraph_in_process(role_url, *create, exit_code=1).stderr)
    assert (
        ': PostgreSQL refused a statement: new row violates row-level security policy for table "api_tokens" (SQLSTATE 42501).'
        in line
    )


def test_outage_is_logged_with_its_reason(tmp_path: Path) -> None:
    with temporary_folder() as folder, own_server(folder) as server, (tmp_path / "log").open("w") as log:
        url = server.url(password=quote(PASSWORD))
        settings = {"RATESGRAPH_LOG_FORMAT": "console"}
        with serving(url, log=log, settings=settings) as (_, address):
            server.stop("immediate")
            assert httpx.get(f"{address}/readyz", timeout=DEADLINE_SECONDS).status_code == 503
            reason = (
                f"The database postgres at 127.0.0.1, port {server.port} cannot be reached as user postgres: connection"
                " refused; no PostgreSQL listens there. Start the server, or correct host and port in the URL."
            )
            for beginning in "database is unavailable: ", "notification connection lost; reconnecting: ":
                eventually(lambda: beginning in (tmp_path / "log").read_text(), "the outage is not logged")  # noqa: B023
            eventually(lambda: reason in (tmp_path / "log").read_text(), "the reason is not logged")
            server.start()
            eventually(
                lambda: "database is available again" in (tmp_path / "log").read_text(), "the database is not back"
            )
    printed = (tmp_path / "log").read_text()
    assert "Traceback" not in printed
    assert PASSWORD not in printed
    assert printed.count("notification connection lost") == 1
