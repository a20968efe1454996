"""`ratesgraph token`: create, list and revoke tokens stored as digests."""

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from server.cli.commands.tokens import parse_expiry
from server.cli.console import CommandError
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import ratesgraph

Command = Callable[..., subprocess.CompletedProcess[str]]
TOKEN = re.compile(r"rgt_([0-9a-f]{16})_[A-Za-z0-9_-]{43}\n")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def create(database_url: str, *arguments: str, run: Command = ratesgraph_in_process) -> tuple[str, str]:
    """Create a token and return it with its id. Standard output contains nothing else."""
    done = run(database_url, "token", "create", *arguments)
    found = TOKEN.fullmatch(done.stdout)
    assert found is not None, done.stdout
    assert done.stdout.strip() not in done.stderr
    return done.stdout.strip(), found[1]


def test_token_create_prints_the_token_once_and_does_not_store_its_secret(database_url: str) -> None:
    token, token_id = create(
        database_url, "--name", "ERP of ACME", "--scope", "upload", "--scope", "read", run=ratesgraph
    )
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT t::text FROM api_tokens t").fetchone()
    assert kept is not None
    assert token_id in kept[0]
    assert token.removeprefix(f"rgt_{token_id}_") not in kept[0]
    listed = ratesgraph(database_url, "token", "list").stdout
    for word in (token_id, "ERP of ACME", "read upload", "valid"):
        assert word in listed
    assert token not in listed


def test_token_revoke_accepts_id_or_token_and_succeeds_only_once(database_url: str) -> None:
    for number in (0, 1):
        made = create(database_url, "--name", "x", "--scope", "admin", "--expires", "never")
        assert (
            f"Revoked token {made[1]} of x."
            in ratesgraph_in_process(database_url, "token", "revoke", made[number]).stdout
        )
        again = ratesgraph_in_process(database_url, "token", "revoke", made[1], exit_code=1)
        assert again.stderr == f"No active token {made[1]}; `ratesgraph token list` shows all tokens.\n"
    assert ratesgraph_in_process(database_url, "token", "list").stdout.count("revoked") == 2


def test_token_create_generates_unique_secrets(database_url: str) -> None:
    (first, _), (second, _) = (create(database_url, "--name", "x", "--scope", "read") for _ in range(2))
    assert first[21:] != second[21:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--name", " ", "--scope", "read"], "--name must have 1 to 200 printable characters (got "),
        (["create", "--name", "x\ny", "--scope", "read"], "--name must have 1 to 200 printable characters (got "),
        (["create", "--name", "x", "--scope", "read", "--expires", "soon"], "or never (got soon)"),
        (["revoke", "rgt_"], "Expected a 16-character token ID (got 4 characters); `ratesgraph token list`"),
        (["revoke", "0" * 16], "No active token 0000000000000000"),
    ],
)
def test_token_command_errors_are_reported_in_one_line(database_url: str, arguments: list[str], message: str) -> None:
    line = ratesgraph_in_process(database_url, "token", *arguments, exit_code=1).stderr
    assert message in line
    assert line.count("\n") == 1


def test_token_create_requires_a_known_scope(database_url: str) -> None:
    assert "--scope" in ratesgraph_in_process(database_url, "token", "create", "--name", "x", exit_code=2).stderr
    assert (
        "root"
        in ratesgraph_in_process(database_url, "token", "create", "--name", "x", "--scope", "root", exit_code=2).stderr
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", NOW + timedelta(days=90)),
        (" 1D ", NOW + timedelta(days=1)),
        ("2026-03-01", datetime(2026, 3, 2, tzinfo=UTC)),
        ("never", None),
    ],
)
def test_token_expiry_is_parsed_from_days_a_date_or_never(text: str, expected: datetime | None) -> None:
    assert parse_expiry(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "0d", "-1d", "36501d", "2026-02-28", "2026-02-30", "20270101", "9999-12-31"])
def test_token_expiry_that_is_invalid_or_past_is_rejected(text: str) -> None:
    with pytest.raises(CommandError):
        parse_expiry(text, NOW)
