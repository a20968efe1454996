"""Database errors of commands: they name address and reason, but no password."""

import socket
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import ratesgraph
from tests.support.http.server_process import one_line

PASSWORD = "s3cret-word"  # noqa: S105
COMMANDS = [["migrate"], ["verify"], ["queue"], ["token", "list"], ["audit"], ["worker"]]


@pytest.mark.parametrize("setting", ["DATABASE_URL", "RATESGRAPH_DIRECT_URL"])
@pytest.mark.parametrize(
    "value",
    [
        f"{PASSWORD}@localhost/prices",
        f"host= user {PASSWORD}",
        f"postgresql://u:{PASSWORD}@{PASSWORD}@localhost/prices",
        f"postgresql://u:{PASSWORD}/{PASSWORD}@localhost/prices",
        f"postgresql://u:12/{PASSWORD}@localhost/prices",
    ],
)
def test_malformed_database_url_is_reported_in_one_line_without_its_value(setting: str, value: str) -> None:
    settings = {"DATABASE_URL": "postgresql:///prices", setting: value}
    for command in ["queue"], ["serve"]:
        line = one_line(ratesgraph_in_process(None, *command, settings=settings, exit_code=1).stderr)
        assert line.strip() == (
            f"{setting} must be a URL such as postgresql://user@host/database (or a libpq connection string);"
            " percent-encode special characters of a password"
        )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_missing_database_is_named_with_its_address(command: list[str], postgres: str) -> None:
    url = make_conninfo(postgres, dbname="pricez", password=PASSWORD)
    line = one_line(ratesgraph_in_process(url, *command, exit_code=1).stderr)
    assert "database pricez at " in line
    assert str(conninfo_to_dict(postgres)["host"]) in line
    assert "the database does not exist" in line
    assert PASSWORD not in line


def test_unreachable_address_is_named_with_the_reason() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for host in "127.0.0.1", "localhost":
            url = f"postgresql://me:{PASSWORD}@{host}:{port}/prices"
            line = one_line(ratesgraph_in_process(url, "queue", exit_code=1).stderr)
            assert f"database prices at {host}, port {port} cannot be reached as user me: connection refused" in line
            assert PASSWORD not in line
    url = f"postgresql://me:{PASSWORD}@database.invalid/prices"
    line = one_line(ratesgraph(url, "serve", "--port", "0", exit_code=1).stderr)
    assert "database prices at database.invalid, port 5432 cannot be reached" in line
    assert "the host name cannot be resolved" in line
    assert PASSWORD not in line


def test_embedded_database_is_named_on_standard_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ratesgraph_in_process(None, "migrate")
    assert one_line(done.stderr).strip() == "Using the embedded PostgreSQL in .ratesgraph/ (DATABASE_URL is not set)."
    assert "Using" not in done.stdout
    assert ratesgraph_in_process(None, "migrate", "--data-dir", tmp_path / ".ratesgraph").stderr == ""
