"""A process that dies while it archives loses no price, and counts none twice."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import psycopg
import pytest

from tests.support.batches.archives import answers
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.faults.archive_crash import STEPS
from tests.support.waiting import eventually

TIMEOUT_SECONDS = 120


def read_one(database_url: str, query: str) -> object:
    """Return the only value of a query."""
    with psycopg.connect(database_url) as connection:
        [(value,)] = connection.execute(query.encode()).fetchall()
        return value


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_archive_loses_no_price_and_is_continued(filled_url: str, tmp_path: Path, step: str) -> None:
    before = answers(filled_url)
    arguments = [filled_url, str(date(2024, 2, 1)), tmp_path.as_uri(), step]
    command = [sys.executable, "-m", "tests.support.faults.archive_crash", *arguments]
    died = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert died.returncode == -9, died.stderr
    # The server ends the transaction when it finds the connection closed.
    eventually(
        lambda: (
            read_one(filled_url, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%-ingest'") == 0
        ),
        "the connection of the dead process stays",
        60,
    )
    in_files = 6 if step == "after the month" else 0
    assert read_one(filled_url, "SELECT coalesce(sum(row_count), 0)::int FROM archived_files") == in_files
    assert read_one(filled_url, "SELECT count(*) FROM prices") == 36 - in_files
    assert answers(filled_url) == before
    assert "All averages verified" in ratesgraph_in_process(filled_url, "verify").stdout
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", tmp_path.as_uri())
    assert answers(filled_url) == before
    assert read_one(filled_url, "SELECT count(*) FROM prices") == 18
    # The file of the dead process has been written again under its name, so none is left over.
    with psycopg.connect(filled_url) as connection:
        listed = {url for (url,) in connection.execute("SELECT url FROM archived_files").fetchall()}
    assert {path.as_uri().replace("%3D", "=") for path in tmp_path.rglob("*") if path.is_file()} == listed
