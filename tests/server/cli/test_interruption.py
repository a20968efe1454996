"""Ctrl-C during a command: one line says what is kept, and the exit code is 130."""

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from server.cli.commands import interruption, schema
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import COMMAND, environment
from tests.support.waiting import DEADLINE_SECONDS, eventually

TABLES = "locations, location_aliases, prices, price_totals, price_batches, exchange_rates"
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
REGIONS = "slug,name,parent_slug\ntop,Top,\n"
PORTS = "code,name,parent_slug\nCNSGH,Shanghai,top\nNLRTM,Rotterdam,top\n"
PRICES = "origin_code,destination_code,day,price\nCNSGH,NLRTM,2024-01-01,10\n"
AGAIN = "run the command again to continue."


@pytest.fixture
def files(tmp_path: Path, database_url: str) -> Path:
    """Store a price, and return a folder with its files."""
    for name, text in (("regions.csv", REGIONS), ("ports.csv", PORTS), ("prices.csv", PRICES)):
        (tmp_path / name).write_text(text)
    tree: list[str | Path] = ["--regions", tmp_path / "regions.csv", "--ports", tmp_path / "ports.csv"]
    ratesgraph_in_process(database_url, "locations", "load", *tree)
    ratesgraph_in_process(database_url, "prices", "load", tmp_path / "prices.csv")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("verify", "Nothing was changed; the next run begins again."),
        ("verify --repair", f"The months repaired so far are kept; {AGAIN}"),
        ("compact", f"What was compacted so far is kept; {AGAIN}"),
        (
            "archive --before 2025-01 --to file://{files}/old",
            f"The months that were moved so far stay archived; {AGAIN}",
        ),
        ("archive --before 2025-01 --to file://{files}/old --dry-run", "Nothing was changed."),
        ("sample --lanes 1 --to {files}/new", "No folder was left behind."),
        ("locations load --ports {files}/ports.csv", "Nothing was changed."),
        ("prices load --again {files}/prices.csv", f"The files applied so far are kept; {AGAIN}"),
        ("queue", ""),
    ],
)
def test_interrupted_command_says_in_one_line_what_is_kept(
    database_url: str, files: Path, command: str, kept: str
) -> None:
    arguments = command.format(files=files).split()
    with psycopg.connect(database_url) as holder, psycopg.connect(database_url, autocommit=True) as watcher:
        holder.execute(f"LOCK TABLE {TABLES}")
        process = subprocess.Popen(
            [COMMAND, *arguments],
            env=environment(database_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: watcher.execute(BLOCKED).fetchone() != (0,), "the command does not wait for a lock")
        process.send_signal(signal.SIGINT)
        printed, message = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, printed, message) == (130, "", f"Interrupted. {kept}".rstrip() + "\n")
    assert not (files / "new").exists()


def test_message_is_printed_although_ctrl_c_is_pressed_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object, **_options: object) -> str:
        signal.raise_signal(signal.SIGINT)
        return "Interrupted."

    monkeypatch.setattr(schema, "schema", interrupt)
    monkeypatch.setattr(interruption, "describe_interruption", interrupt)
    done = ratesgraph_in_process(database_url, "schema", exit_code=130)
    assert (done.stdout, done.stderr) == ("", "Interrupted.\n")


IMPORTING = """
import signal, sys, types
from server.cli.main import main

module = sys.modules["server.cli.app"] = types.ModuleType("server.cli.app")


def interrupt():
    {importing}
    signal.raise_signal(signal.SIGINT)


module.run = interrupt
main()
print("finished")
"""
"""Interrupts itself while it imports the commands."""


@pytest.mark.parametrize("importing", ["pass", "import polars"])
@pytest.mark.parametrize(
    ("before", "ended"),
    [("", (-signal.SIGINT, "", "")), ("import signal; signal.signal(2, signal.SIG_IGN)", (0, "finished\n", ""))],
    ids=["handled", "ignored"],
)
def test_interruption_before_a_command_begins_ends_it_at_once(
    before: str, ended: tuple[int, str, str], importing: str
) -> None:
    command = [sys.executable, "-c", before + IMPORTING.format(importing=importing)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert (process.returncode, process.stdout, process.stderr) == ended
