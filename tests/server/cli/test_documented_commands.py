"""Console examples of the documentation: the commands print what the pages show."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from server.cli.banner import create_greeting
from server.config.settings import Settings
from tests.support.code.source import ROOT
from tests.support.commands.in_process import ratesgraph_in_process

CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
VARIABLE_PARTS = re.compile(r"rgt_\S+|\b[0-9a-f]{16}\b|\d{4}-\d\d-\d\d \d\d:\d\d")
"""Tokens, their IDs and times: these differ from run to run."""


def steps(page: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a page's console blocks, each with the output below it."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for block in CONSOLE.findall(text):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            yield command, output


def normalize(text: str) -> str:
    """Return the text without the parts that differ from run to run."""
    return VARIABLE_PARTS.sub("…", text)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the commands in a folder of their own."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("page", "count"), [("tutorial/your-own-postgresql.md", 5), ("how-to/tokens-and-oidc.md", 2)])
def test_documented_commands_print_the_documented_output(page: str, count: int, empty_database_url: str) -> None:
    # Only the tutorial shows how to create the schema.
    if not any(command == "ratesgraph migrate" for command, _ in steps(page)):
        ratesgraph_in_process(empty_database_url, "migrate")
    compared = 0
    for command, output in steps(page):
        program, *arguments = command.split()
        if program == "cat":
            Path(arguments[0]).write_text(output, encoding="utf-8")
        elif program == "ratesgraph":
            if arguments[:2] == ["token", "revoke"]:
                with psycopg.connect(empty_database_url) as connection:
                    arguments[2] = str((connection.execute("SELECT id FROM api_tokens").fetchone() or [""])[0])
            done = ratesgraph_in_process(empty_database_url, *arguments)
            if output:
                assert normalize(done.stderr + done.stdout) == normalize(output), command
                compared += 1
    assert compared == count


def test_documented_audit_table_has_the_columns_of_the_command(database_url: str) -> None:
    (output,) = (output for command, output in steps("operations/monitoring.md") if command == "ratesgraph audit")
    printed = ratesgraph_in_process(database_url, "audit").stdout
    assert re.findall(r"[\w()]+", output.splitlines()[1]) == re.findall(r"[\w()]+", printed.splitlines()[1])


def test_documented_start_ends_with_the_greeting_of_the_server(empty_database_url: str) -> None:
    (output,) = (output for command, output in steps("tutorial/first-query.md") if command == "make serve")
    settings = Settings().model_copy(update={"database_url": None})
    assert create_greeting(settings, "http://127.0.0.1:8000/graphql", has_pages=True) in output.splitlines()
    assert ratesgraph_in_process(empty_database_url, "migrate").stdout in output
