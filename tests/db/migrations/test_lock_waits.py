"""Migrations that wait for locks: others pass, and a timeout is a clear error."""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

import db.migrate
from db.errors import MigrationTimeout
from db.migrate import migrate, migration_names
from tests.support.waiting import eventually

NAME = "9999_note"
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'locations'::regclass"
COLUMNS = "SELECT count(*) FROM information_schema.columns WHERE (table_name, column_name) = ('locations', 'note')"
READS = 100


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a migration that needs a lock on a table; return its name."""
    folder = tmp_path / "migrations"
    shutil.copytree(db.migrate.FOLDER, folder)
    text = f"-- depends: {migration_names()[-1]}\nALTER TABLE locations ADD COLUMN note text;\n"
    (folder / f"{NAME}.sql").write_text(text, encoding="utf-8")
    monkeypatch.setattr(db.migrate, "FOLDER", folder)
    return NAME


def count(database_url: str, query: str) -> int:
    """Return the result of a query that counts."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def open_transaction(database_url: str) -> Iterator[None]:
    """Hold a lock on the table for the block, as a long transaction does."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT count(*) FROM locations")
        yield


def test_migration_lets_reads_pass_while_it_waits_for_a_lock(database_url: str, next_migration: str) -> None:
    with ThreadPoolExecutor(1) as threads, psycopg.connect(database_url, autocommit=True) as reader:
        # Servers cancel a statement that takes longer.
        reader.execute("SET statement_timeout = '15s'")
        with open_transaction(database_url):
            migrating = threads.submit(migrate, database_url)
            eventually(lambda: count(database_url, WAITS), "the migration does not wait for the lock", 60)
            for _ in range(READS):
                reader.execute("SELECT count(*) FROM locations")
                threading.Event().wait(0.02)
            assert not migrating.done()
        assert migrating.result(timeout=60) == [next_migration]
    assert count(database_url, COLUMNS) == 1


def test_migration_that_cannot_lock_its_tables_changes_nothing_and_says_why(
    database_url: str, next_migration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.migrate, "LOCK_PATIENCE_SECONDS", 2.0)
    with open_transaction(database_url), pytest.raises(MigrationTimeout) as caught:
        migrate(database_url)
    assert str(caught.value) == (
        f"The migration {next_migration} was rolled back: for 2 s other sessions held locks on its tables. End their"
        " transactions (pg_stat_activity lists them), then run `ratesgraph migrate` again."
    )
    assert count(database_url, COLUMNS) == 0
    assert migrate(database_url) == [next_migration]


def test_migration_that_takes_too_long_changes_nothing_and_says_why(
    database_url: str, next_migration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = db.migrate.FOLDER / f"{next_migration}.sql"
    statement = file.read_text(encoding="utf-8")
    file.write_text(statement + "SELECT pg_sleep(30);\n", encoding="utf-8")
    monkeypatch.setattr(db.migrate, "STATEMENT_TIMEOUT", "1s")
    with pytest.raises(MigrationTimeout) as caught:
        migrate(database_url)
    assert str(caught.value) == (
        f"The migration {next_migration} was rolled back: a statement took longer than 1s. Run `ratesgraph migrate` again"
        " when the database is less busy."
    )
    assert count(database_url, COLUMNS) == 0


def test_first_batch_whose_end_the_migration_waits_for_makes_the_sketches_stale(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of a release without sketches applies it."""
    before = tmp_path / "migrations"
    shutil.copytree(db.migrate.FOLDER, before, ignore=lambda _folder, names: [name for name in names if name >= "0015"])
    with monkeypatch.context() as patch:
        patch.setattr(db.migrate, "FOLDER", before)
        migrate(empty_database_url)
    waits = WAITS.replace("locations", "price_batches")
    with ThreadPoolExecutor(1) as threads, psycopg.connect(empty_database_url) as batch:
        batch.execute(
            "INSERT INTO price_batches (status, on_error, source, payload_sha256)"
            " VALUES ('APPLIED', 'REJECT_BATCH', 'test', '')"
        )
        batch.execute("INSERT INTO price_totals VALUES (1, 1, '2024-01-01', '2024-01-01', '{100}', '{1}')")
        migrating = threads.submit(migrate, empty_database_url)
        eventually(lambda: count(empty_database_url, waits), "the migration does not wait for the batch", 60)
        batch.commit()
        migrating.result(timeout=60)
    assert count(empty_database_url, "SELECT count(*) FROM stale_sketches WHERE month = '0001-01-01'") == 1
