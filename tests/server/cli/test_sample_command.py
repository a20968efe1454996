"""`ratesgraph sample`: a database or a data folder with a part of the lanes."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from server.cli.commands.database import sample
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.demo import load_demo_data
from tests.support.http.server_process import serving, wait_until_answered

COUNT = "SELECT count(DISTINCT (origin, destination)) FROM prices"


def test_sample_command_fills_an_empty_database(database_url: str, empty_database_url: str) -> None:
    load_demo_data(database_url, 2)
    arguments = ["sample", "--lanes", "50", "--to", empty_database_url]
    done = ratesgraph_in_process(database_url, *arguments, settings={"COLUMNS": "80"})
    # Whatever reads the output gets one line.
    (summary,) = (line for line in done.stdout.splitlines() if line.startswith("Copied 50 of 2,000 lanes."))
    assert summary.endswith("thin days.")
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute(COUNT).fetchone() == (50,)
    again = ratesgraph_in_process(database_url, *arguments, exit_code=1)
    assert "TARGET_NOT_EMPTY" in again.stderr


@pytest.mark.slow
def test_refused_sample_leaves_its_folder_free(database_url: str, tmp_path: Path) -> None:
    load_demo_data(database_url, 2)
    arguments = ["sample", "--to", str(tmp_path / "copy"), "--lanes"]
    refusal = ratesgraph_in_process(database_url, *arguments, "1", exit_code=1).stderr
    assert refusal.startswith("TOO_FEW_LANES: ")
    needed = refusal.split()[-1]
    assert f"Copied {needed} of" in ratesgraph_in_process(database_url, *arguments, needed).stdout


@pytest.mark.slow
def test_server_starts_from_a_sample_folder(database_url: str, tmp_path: Path) -> None:
    load_demo_data(database_url, 2)
    folder = tmp_path / "small copy"
    arguments = ["sample", "--lanes", "50", "--to", str(folder)]
    done = ratesgraph_in_process(database_url, *arguments)
    assert "ratesgraph serve --data-dir" in done.stdout
    with serving(None, "--data-dir", folder, "--no-demo") as (_, url):
        assert wait_until_answered(url).text == "ready\n"
    assert "is not empty" in ratesgraph_in_process(database_url, *arguments, exit_code=1).stderr


def test_refused_sample_creates_and_migrates_nothing(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "staging"
    for target in (str(folder), empty_database_url):
        failed = ratesgraph_in_process(database_url, "sample", "--lanes", "5", "--to", target, exit_code=1)
        assert "NO_PRICES" in failed.stderr
    load_demo_data(database_url, 1)
    for target in (str(folder), empty_database_url):
        failed = ratesgraph_in_process(database_url, "sample", "--lanes", "1", "--to", target, exit_code=1)
        assert "TOO_FEW_LANES" in failed.stderr
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "staging"
    failed = ratesgraph_in_process(database_url, "sample", "--lanes", "50", "--to", str(below), exit_code=1)
    assert failed.stderr == (
        f"The embedded PostgreSQL could not be started in {below}/postgresql: {tmp_path}/file is not a folder."
        " Choose another folder with --to.\n"
    )
    assert not folder.exists()
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('locations')").fetchone() == (None,)


def test_sample_leaves_a_database_with_data_at_its_schema(database_url: str, empty_database_url: str) -> None:
    load_demo_data(database_url, 1)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE locations AS SELECT 1 AS id")
        connection.execute("CREATE TABLE price_batches AS SELECT 1 AS id")
        arguments = ["sample", "--lanes", "50", "--to", empty_database_url]
        assert "TARGET_NOT_EMPTY" in ratesgraph_in_process(database_url, *arguments, exit_code=1).stderr
        assert connection.execute("SELECT to_regclass('exchange_rates')").fetchone() == (None,)


@pytest.mark.parametrize("target", ["", "mysql://root:hunter2@db/prices", "file:///srv/staging"])
def test_sample_refuses_what_is_neither_folder_nor_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    failed = ratesgraph_in_process(database_url, "sample", "--lanes", "5", "--to", target, exit_code=1)
    assert failed.stderr.startswith("--to is neither a folder nor the URL of a database")
    assert "hunter2" not in failed.stderr
    assert not any(tmp_path.iterdir())


def test_interrupted_sample_leaves_no_folder_although_ctrl_c_is_pressed_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_demo_data(database_url, 1)
    folder, rmtree = tmp_path / "copy", shutil.rmtree

    @contextmanager
    def interrupted_server(path: Path) -> Iterator[str]:
        path.mkdir()
        signal.raise_signal(signal.SIGINT)
        yield ""

    def interrupt_and_remove(path: str, *, ignore_errors: bool) -> None:
        signal.raise_signal(signal.SIGINT)
        rmtree(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(sample, "embedded_server", interrupted_server)
    monkeypatch.setattr(shutil, "rmtree", interrupt_and_remove)
    done = ratesgraph_in_process(database_url, "sample", "--lanes", "50", "--to", str(folder), exit_code=130)
    assert done.stderr == "Interrupted. No folder was left behind.\n"
    assert not folder.exists()
