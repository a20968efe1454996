"""The contraction after an upgrade: when it is due, and what it waits for."""

import psycopg
import pytest

import db.migrate
from db.errors import MigrationTimeout
from db.migrate import contract, migrate
from tests.support.batches.forms import is_contracted
from tests.support.commands.in_process import ratesgraph_in_process

OLDER_RELEASE = "ALTER TABLE price_totals ALTER COLUMN price_sums SET NOT NULL, ALTER COLUMN price_counts SET NOT NULL"
"""Restores the constraints that a database of an older release has after its migration."""


def test_new_database_needs_no_contraction(empty_database_url: str) -> None:
    migrate(empty_database_url)
    assert is_contracted(empty_database_url)
    assert "--contract" not in ratesgraph_in_process(empty_database_url, "migrate").stdout


def test_database_of_an_older_release_is_contracted_by_the_operator_only(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(OLDER_RELEASE)
    # The second command runs when `ratesgraph serve` starts.
    for command in ("migrate", "prepare"):
        assert "run `ratesgraph migrate --contract`" in " ".join(
            ratesgraph_in_process(database_url, command).stdout.split()
        )
    assert not is_contracted(database_url)
    assert "Contracted" in ratesgraph_in_process(database_url, "migrate", "--contract").stdout
    assert is_contracted(database_url)
    assert "up to date" in ratesgraph_in_process(database_url, "migrate", "--contract").stdout
    assert ratesgraph_in_process(database_url, "prepare").stdout == ""


def test_contraction_that_cannot_lock_the_table_changes_nothing_and_says_why(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.migrate, "LOCK_PATIENCE_SECONDS", 2.0)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(OLDER_RELEASE)
        with connection.transaction():
            connection.execute("SELECT count(*) FROM price_totals")
            with pytest.raises(MigrationTimeout, match="other sessions held locks on price_totals"):
                contract(database_url)
    assert not is_contracted(database_url)
    contract(database_url)
    assert is_contracted(database_url)
