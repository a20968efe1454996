"""`ratesgraph sample`: a database or a data folder with a part of the lanes."""

from pathlib import Path

import psycopg
import pytest

from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.demo import load_demo_data
from tests.support.http.server_process import serving, wait_until_answered

COUNT = "SELECT count(DISTINCT (origin, destination)) FROM prices"


def test_sample_command_fills_an_empty_database(database_url: str, empty_database_url: str) -> None:
    load_demo_data(database_url, 2)
    arguments = ["sample", "--lanes", "50", "--to", empty_database_url]
    done = ratesgraph_in_process(database_url, *arguments)
    assert "Copied 50 of 2,000 lanes." in done.stdout
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
