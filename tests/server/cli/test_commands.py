"""Commands: start and stop, one line for each error, no leftover process."""

import asyncio
import signal
import socket
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import httpx
import psycopg
import pytest

from db.pool import INGEST, connect
from tests.support.batches.queue import accept
from tests.support.code.source import ROOT
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import COMMAND, ratesgraph
from tests.support.http.server_process import one_line, serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS

REGIONS = "slug,name,parent_slug\ntop,Top,\n"
PORTS = "code,name,parent_slug\nCNSGH,Shanghai,top\nNLRTM,Rotterdam,top\n"
PRICES = "origin_code,destination_code,day,price\nCNSGH,NLRTM,2024-01-01,10\nCNSGH,NLRTM,2024-01-01,11\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with a small location tree and two prices."""
    (tmp_path / "regions.csv").write_text(REGIONS)
    (tmp_path / "ports.csv").write_text(PORTS)
    (tmp_path / "prices.csv").write_text(PRICES)
    return tmp_path


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_serve_command_starts_and_stops_the_embedded_database(
    tmp_path: Path, workers: str, stop: signal.Signals
) -> None:
    with serving(None, "--data-dir", tmp_path / "data", "--no-demo", "--workers", workers) as (process, url):
        assert wait_until_answered(url).text == "ready\n"
        assert httpx.get(f"{url}/livez", timeout=DEADLINE_SECONDS).text == "alive\n"
        assert (tmp_path / "data" / "postgresql" / "postmaster.pid").exists()
        page = httpx.get(f"{url}/graphql", headers={"Accept": "text/html"}, timeout=DEADLINE_SECONDS)
        assert "graphiql" in page.text.lower()
        process.send_signal(stop)
        printed, _ = process.communicate(timeout=DEADLINE_SECONDS)
        # A requested stop is no failure to a process supervisor.
        assert (process.returncode, printed.splitlines()[-1]) == (0, "Stopped.")
    assert not (tmp_path / "data" / "postgresql" / "postmaster.pid").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_embedded_server_accepts_anonymous_uploads(files: Path, workers: str) -> None:
    data_dir = files / "data"
    with serving(None, "--data-dir", data_dir, "--no-demo", "--workers", workers) as (_, url):
        wait_until_answered(url)
        # A second process joins the running database.
        arguments: list[str | Path] = [
            "--regions",
            files / "regions.csv",
            "--ports",
            files / "ports.csv",
            "--data-dir",
            data_dir,
        ]
        assert "3 locations added" in ratesgraph(None, "locations", "load", *arguments).stdout
        price = '{dateFrom: "2024-01-01", origin: "CNSGH", destination: "NLRTM", price: 7}'
        mutation = f"mutation {{ uploadPrices(input: {{prices: [{price}], waitMs: 30000}}) {{ batch {{ status }} }} }}"
        answer = httpx.post(f"{url}/graphql", json={"query": mutation}, timeout=DEADLINE_SECONDS).json()
        assert answer == {"data": {"uploadPrices": {"batch": {"status": "APPLIED"}}}}


def test_commands_migrate_load_compact_and_verify_a_database(files: Path, empty_database_url: str) -> None:
    url = empty_database_url
    assert "migrations applied" in ratesgraph(url, "migrate").stdout
    assert "up to date" in ratesgraph_in_process(url, "migrate").stdout
    tree: list[str | Path] = ["--regions", files / "regions.csv", "--ports", files / "ports.csv"]
    assert ratesgraph(url, "locations", "load", *tree).stdout == "3 locations added, 0 moved, 0 unchanged.\n"
    assert ratesgraph_in_process(url, "locations", "load", *tree).stdout == "0 locations added, 0 moved, 3 unchanged.\n"
    loaded = ratesgraph(url, "prices", "load", files / "prices.csv").stdout
    assert "applied, 2 of 2 items, 2 daily prices." in loaded
    assert "already loaded as batch" in ratesgraph_in_process(url, "prices", "load", files / "prices.csv").stdout
    assert "applied" in ratesgraph_in_process(url, "prices", "load", files / "prices.csv", "--again").stdout
    assert "rows" in ratesgraph(url, "compact").stdout
    with psycopg.connect(url, autocommit=True) as connection:
        # The commands may have taken more than a minute.
        connection.execute("UPDATE price_batches SET ended_at = now()")
    assert (
        ratesgraph(url, "queue").stdout == "0 batches queued, 0 running, none waiting; 2 finished in the last minute.\n"
    )
    assert "All averages verified" in ratesgraph(url, "verify").stdout
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE price_totals SET packed_changes[1] = packed_changes[1] + (1 << 24)")
    failed = ratesgraph_in_process(url, "verify", exit_code=1)
    assert "CNSGH" in failed.stdout
    assert "differences" in failed.stderr
    ratesgraph_in_process(url, "verify", "--repair", exit_code=1)
    ratesgraph_in_process(url, "verify")


def test_queue_command_counts_one_batch_in_the_singular(database_url: str) -> None:
    async def queue_one() -> None:
        async with connect(database_url, INGEST) as connection:
            await accept(connection)

    asyncio.run(queue_one())
    assert ratesgraph_in_process(database_url, "queue").stdout.startswith("1 batch queued, 0 running, oldest waiting ")


def test_verify_says_that_it_shows_the_first_differences_only(files: Path, database_url: str, tmp_path: Path) -> None:
    month = tmp_path / "month.csv"
    month.write_text("origin,destination,date_from,date_to,price\nCNSGH,NLRTM,2024-03-01,2024-03-21,7\n")
    tree: list[str | Path] = ["--regions", files / "regions.csv", "--ports", files / "ports.csv"]
    ratesgraph_in_process(database_url, "locations", "load", *tree)
    ratesgraph_in_process(database_url, "prices", "load", month)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM price_totals")
    failed = ratesgraph_in_process(database_url, "verify", exit_code=1)
    assert failed.stdout.count("2024-03-") == 20
    assert "differences in 1 checked month. Of each table, the first 20 are shown. Run `" in one_line(failed.stderr)


def test_prices_load_rejects_a_file_with_invalid_items_or_skips_them(files: Path, database_url: str) -> None:
    ratesgraph_in_process(
        database_url, "locations", "load", "--regions", files / "regions.csv", "--ports", files / "ports.csv"
    )
    (files / "bad.csv").write_text(PRICES + "CNSGH,XXXXX,2024-01-01,abc\n")
    rejected = ratesgraph_in_process(database_url, "prices", "load", files / "bad.csv", exit_code=1)
    assert "UNKNOWN_PORT" in rejected.stderr
    assert "INVALID_PRICE" in rejected.stderr
    assert "no price changed" in rejected.stderr
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM prices").fetchone() == (0,)
    skipped = ratesgraph_in_process(database_url, "prices", "load", files / "bad.csv", "--on-error", "skip")
    assert "2 of 3 items" in skipped.stdout


def test_prices_load_suggests_skipping_only_if_an_item_is_valid(files: Path, database_url: str) -> None:
    ratesgraph_in_process(
        database_url, "locations", "load", "--regions", files / "regions.csv", "--ports", files / "ports.csv"
    )
    (files / "bad.csv").write_text(PRICES.splitlines()[0] + "\nCNSGH,XXXXX,2024-01-01,abc\n")
    for options in [], ["--on-error", "skip"]:
        rejected = ratesgraph_in_process(database_url, "prices", "load", files / "bad.csv", *options, exit_code=1)
        assert "rejected, 1 of 1 items are invalid; no price changed (no item is valid)." in rejected.stderr


def test_prices_load_loads_a_valid_file_despite_a_broken_one(files: Path, database_url: str) -> None:
    ratesgraph_in_process(
        database_url, "locations", "load", "--regions", files / "regions.csv", "--ports", files / "ports.csv"
    )
    (files / "broken.csv.gz").write_bytes(b"\x1f\x8b\x08 cut off")
    done = ratesgraph_in_process(
        database_url, "prices", "load", files / "broken.csv.gz", files / "prices.csv", exit_code=1
    )
    assert "broken.csv.gz: BROKEN_FILE" in done.stderr
    assert "2 of 2 items" in done.stdout


def test_operator_errors_are_reported_in_one_line(files: Path, empty_database_url: str) -> None:
    nowhere = "postgresql://postgres@127.0.0.1:1/postgres"
    assert "cannot be reached" in one_line(ratesgraph_in_process(nowhere, "migrate", exit_code=1).stderr)
    tree: list[str | Path] = ["--regions", files / "regions.csv", "--ports", files / "ports.csv"]
    for command in ["verify"], ["worker", "--until-empty"]:
        assert "ratesgraph migrate" in one_line(ratesgraph_in_process(empty_database_url, *command, exit_code=1).stderr)
    assert "ratesgraph migrate" in one_line(
        ratesgraph_in_process(empty_database_url, "locations", "load", *tree, exit_code=1).stderr
    )
    (files / "ports.csv").write_text("code,name,parent_slug\nCNSGH,Shanghai,nowhere\n")
    ratesgraph_in_process(empty_database_url, "migrate")
    refused = ratesgraph_in_process(empty_database_url, "locations", "load", *tree, exit_code=1)
    assert "UNKNOWN_PARENT: ports.csv:2" in one_line(refused.stderr)
    (files / "file").touch()
    assert one_line(ratesgraph_in_process(None, "migrate", "--data-dir", files / "file", exit_code=1).stderr)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "Choose another --port, or set RATESGRAPH_PORT" in one_line(
            ratesgraph(empty_database_url, "serve", "--port", port, exit_code=1).stderr
        )
    assert "Usage" in ratesgraph_in_process(None, "locations", "load", exit_code=2).stderr
    assert "does not exist" in ratesgraph_in_process(None, "prices", "load", files / "nothing.csv", exit_code=2).stderr


def test_schema_command_prints_and_checks_the_schema(tmp_path: Path) -> None:
    root = ROOT
    assert ratesgraph(None, "schema").stdout == (root / "schema.graphql").read_text()
    for content, exit_code in [("type Query { other: Int }\n", 1), ((root / "schema.graphql").read_text(), 0)]:
        (tmp_path / "schema.graphql").write_text(content)
        done = subprocess.run([COMMAND, "schema", "--check"], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == exit_code


def test_schema_check_says_that_the_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed = ratesgraph_in_process(None, "schema", "--check", exit_code=1).stderr
    assert failed == "schema.graphql does not exist in this folder. Write it: ratesgraph schema > schema.graphql\n"


def test_command_runs_without_standard_output() -> None:
    done = subprocess.run(["sh", "-c", f"exec {COMMAND} schema >&-"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_version_option_prints_the_installed_version() -> None:
    assert ratesgraph(None, "--version").stdout == f"ratesgraph {version('ratesgraph')}\n"


@pytest.mark.parametrize(
    "command",
    [
        "",
        "serve",
        "migrate",
        "verify",
        "compact",
        "distribute",
        "queue",
        "worker",
        "schema",
        "locations load",
        "prices load",
        "prices upload",
        "rates refresh",
        "audit",
        "token create",
        "token list",
        "token revoke",
    ],
)
def test_every_command_prints_its_usage(command: str) -> None:
    assert "Usage" in ratesgraph_in_process(None, *command.split(), "--help").stdout


def test_help_fills_the_lines_of_the_terminal() -> None:
    shown = ratesgraph_in_process(None, "verify", "--help", settings={"COLUMNS": "1000"}).stdout
    assert any("The first run compares" in line and "Exits with 1" in line for line in shown.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["token", "create", "--name", "x", "--scope", "foo"],
            "'--scope': 'foo' is not one of 'read', 'upload', 'admin'",
        ),
        (["audit", "--since", "0"], "'--since': '0' is not a valid time (YYYY-MM-DD[THH:MM])."),
        (
            ["series", "--lane", "A:B", "--from", "5.1.2026", "--to", "2026-01-31"],
            "'--from': '5.1.2026' is not a valid date (YYYY-MM-DD).",
        ),
        (
            ["series", "--lane", "A:B", "--from", "2026-01-05", "--to", "2026-02-30"],
            "'--to': '2026-02-30' is not a valid date (YYYY-MM-DD).",
        ),
        (["serve", "--port", "x"], "'--port': Input should be a valid integer"),
    ],
)
def test_invalid_options_are_reported_with_the_allowed_values(arguments: list[str], words: str) -> None:
    assert words in " ".join(ratesgraph_in_process(None, *arguments, exit_code=2).stderr.split())


def test_demo_data_is_loaded_at_startup_and_can_be_queried(tmp_path: Path) -> None:
    with serving(None, "--data-dir", tmp_path / "data") as (process, url):
        query = """{
          batches(first: 1) { edges { node { source } } }
          locations(kind: PORT, first: 1) { totalCount }
          averagePrices(dateFrom: "2026-01-01", dateTo: "2026-01-31", origin: "world", destination: "world") { priceCount }
        }"""
        answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=DEADLINE_SECONDS).json()["data"]
        assert "synthetic" in answer["batches"]["edges"][0]["node"]["source"]
        assert answer["locations"]["totalCount"] >= 150
        assert len(answer["averagePrices"]) == 31
        process.send_signal(signal.SIGINT)
        process.wait(timeout=DEADLINE_SECONDS)
    # At the second start all data is already loaded.
    started = time.monotonic()
    with serving(None, "--data-dir", tmp_path / "data") as (_, url):
        assert wait_until_answered(url).status_code == 200
    assert time.monotonic() - started < DEADLINE_SECONDS
