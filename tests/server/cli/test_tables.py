"""Tables of the commands: nothing is cut where the output is no terminal."""

import io
import re

import psycopg
import pytest
from rich.console import Console

from server.cli import console
from tests.support.commands.in_process import ratesgraph_in_process

NARROW = {"COLUMNS": "80"}


def test_tables_are_printed_in_full_when_piped(database_url: str) -> None:
    name = "a name of a system " * 6
    arguments = ["token", "create", "--name", name, "--scope", "upload", "--scope", "read", "--scope", "admin"]
    ratesgraph_in_process(database_url, *arguments)
    with psycopg.connect(database_url) as connection:
        (token_id,) = connection.execute("SELECT id FROM api_tokens").fetchone() or ("",)
    for command in ["token", "list"], ["audit"]:
        printed = ratesgraph_in_process(database_url, *command, settings=NARROW).stdout
        row = next(line for line in printed.splitlines() if token_id in line)
        assert name.strip() in row


def test_token_table_is_never_cut_on_a_narrow_terminal(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a-name-of-a-system-" * 6
    ratesgraph_in_process(database_url, "token", "create", "--name", name, "--scope", "upload")
    with psycopg.connect(database_url) as connection:
        (token_id,) = connection.execute("SELECT id FROM api_tokens").fetchone() or ("",)
    shown = io.StringIO()
    terminal = Console(file=shown, width=80, force_terminal=True, highlight=False)
    original = console.print_table
    monkeypatch.setattr("server.cli.commands.tokens.print_table", lambda table: original(table, terminal))
    ratesgraph_in_process(database_url, "token", "list", settings=NARROW)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(rf"{token_id} +\S+ +upload( +\d{{4}}-\d\d-\d\d){{2}} +valid *", lines[1])
    assert "".join(line[len(token_id) :].split()[0] for line in lines[1:]).startswith(name)
