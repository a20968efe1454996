"""Migration at every start: idempotent, safe under concurrency, tolerant of stale locks."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import psycopg

from db.migrate import FOLDER, created_tables, migrate, migration_names

NAMES = sorted(path.stem for path in FOLDER.glob("*.sql"))
CATALOG: LiteralString = """
    SELECT 'column', table_name, column_name, concat_ws(' ', ordinal_position, data_type, is_nullable, column_default,
           identity_generation, numeric_precision, numeric_scale)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'comment', objoid::regclass::text, objsubid::text, description
    FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid::regclass::text IN
         (SELECT tablename FROM pg_tables WHERE schemaname = 'public')
    UNION ALL
    SELECT 'relation', relname, relkind::text, array_to_string(reloptions, ' ')
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
    ORDER BY 1, 2, 3, 4
"""


def read_catalog(database_url: str) -> list[tuple[str, ...]]:
    """Return (kind, table, name, definition) of every catalog object a migration can create."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(CATALOG).fetchall()


def test_migrate_twice_changes_nothing(empty_database_url: str) -> None:
    assert migrate(empty_database_url) == NAMES
    before = read_catalog(empty_database_url)
    assert migrate(empty_database_url) == []
    assert read_catalog(empty_database_url) == before


def test_migrate_succeeds_concurrently_and_applies_each_migration_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(max_workers=2) as threads:
        applied = list(threads.map(migrate, [empty_database_url] * 2))
    assert sorted(applied) == [[], NAMES]


def test_migrate_ignores_the_stale_lock_of_a_killed_process(empty_database_url: str) -> None:
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 2147483647)")
    assert migrate(empty_database_url) == []


def test_migration_files_name_every_constraint_and_index_explicitly(database_url: str) -> None:
    written = " ".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.sql"))
    names = [
        (table, name)
        for kind, table, name, _ in read_catalog(database_url)
        if kind in {"constraint", "index"} and not table.lstrip("_").startswith("yoyo_")
    ]
    assert names
    assert not [name for table, name in names if not name.startswith(f"{table}_")]
    assert not [name for _, name in names if not re.search(rf"\b{name}\b", written)]


def test_migration_files_are_ascii() -> None:
    # yoyo reads them in the encoding of the environment.
    assert [path.name for path in FOLDER.glob("*.sql") if not path.read_bytes().isascii()] == []


def test_migration_files_are_numbered_without_a_gap() -> None:
    assert all(re.fullmatch(r"[0-9]{4}_[a-z0-9_]+", name) for name in NAMES)
    assert [int(name[:4]) for name in NAMES] == list(range(1, len(NAMES) + 1))


def test_created_tables_are_read_from_the_migrations(database_url: str) -> None:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%yoyo%'"
    with psycopg.connect(database_url) as connection:
        assert created_tables(migration_names()) == {name for (name,) in connection.execute(query)}
