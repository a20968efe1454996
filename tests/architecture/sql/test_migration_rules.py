"""Guard of migrations: they neither block nor break servers of the previous release."""

import pytest

from db.migrate import FOLDER, created_tables, migration_names
from tests.support.databases.migration_rules import find_violations

OLDER_THAN_THE_RULES = 12
"""The last migration that was written before these rules. Migrations are never edited."""
TABLES = {"prices", "price_batches"}
ALLOWED = [
    "ALTER TABLE price_batches ADD COLUMN size bigint;",
    "ALTER TABLE price_batches ADD COLUMN size bigint NOT NULL DEFAULT 0, ADD COLUMN note text;",
    "ALTER TABLE price_batches ADD COLUMN at timestamptz NOT NULL DEFAULT now();",
    "ALTER TABLE price_batches ADD COLUMN kinds text[] NOT NULL DEFAULT '{}'::text[];",
    "ALTER TABLE prices ADD CONSTRAINT prices_order CHECK (first_day <= last_day) NOT VALID;",
    "ALTER TABLE prices VALIDATE CONSTRAINT prices_order;",
    "ALTER TABLE price_batches ADD CONSTRAINT price_batches_key UNIQUE USING INDEX price_batches_key_idx;",
    "CREATE TABLE sites (id integer NOT NULL REFERENCES prices); CREATE INDEX sites_idx ON sites (id);"
    " UPDATE sites SET id = 1; ALTER TABLE sites ALTER COLUMN id TYPE bigint;",
    "-- transactional: false\nSET lock_timeout = 0;\nSET statement_timeout = 0;\n"
    "DROP INDEX CONCURRENTLY IF EXISTS prices_idx;\n"
    "CREATE INDEX CONCURRENTLY prices_idx ON prices (item);",
    "-- contract: nothing has read the column since 0.2\nALTER TABLE prices DROP COLUMN item;",
    "COMMENT ON TABLE prices IS 'an index must be created; DROP TABLE prices';",
    "INSERT INTO sites (name) VALUES ('DROP TABLE; RENAME');",
]
FORBIDDEN = {
    "CREATE INDEX prices_idx ON prices (item);": "CONCURRENTLY",
    "CREATE UNIQUE INDEX IF NOT EXISTS prices_idx ON prices (item);": "CONCURRENTLY",
    "create index prices_idx\n  on prices (item);": "CONCURRENTLY",
    "CREATE INDEX CONCURRENTLY prices_idx ON prices (item);": "transactional: false",
    "-- transactional: false\nCREATE INDEX CONCURRENTLY prices_idx ON prices (item);": "lock_timeout = 0",
    "-- transactional: false\nSET lock_timeout = 0;\nCREATE INDEX CONCURRENTLY prices_idx ON prices (item);": "first DROP",
    "-- transactional: false\nALTER TABLE prices ADD COLUMN x text;": "CONCURRENTLY only",
    "ALTER TABLE prices ALTER COLUMN item TYPE bigint;": "rewrites",
    "ALTER TABLE prices ALTER item SET DATA TYPE bigint;": "rewrites",
    "ALTER TABLE prices ALTER COLUMN item SET NOT NULL;": "scans",
    "ALTER TABLE prices SET UNLOGGED;": "rewrites",
    "ALTER TABLE prices ADD CONSTRAINT prices_order CHECK (first_day <= last_day);": "NOT VALID",
    "ALTER TABLE prices ADD CONSTRAINT prices_fkey FOREIGN KEY (batch_id) REFERENCES price_batches;": "NOT VALID",
    "ALTER TABLE prices ADD CONSTRAINT prices_key UNIQUE (item);": "USING INDEX",
    "ALTER TABLE prices ADD PRIMARY KEY (item);": "must have a name",
    "ALTER TABLE prices ADD CONSTRAINT p CHECK (item > 0) NOT VALID; ALTER TABLE prices VALIDATE CONSTRAINT p;": "later",
    "ALTER TABLE prices ADD COLUMN x text NOT NULL;": "give it a default",
    "ALTER TABLE prices ADD x text NOT NULL;": "give it a default",
    "ALTER TABLE prices ADD COLUMN x uuid DEFAULT gen_random_uuid();": "constant",
    "ALTER TABLE prices ADD COLUMN x timestamptz DEFAULT clock_timestamp();": "constant",
    "ALTER TABLE prices ADD COLUMN x integer GENERATED ALWAYS AS (item + 1) STORED;": "rewrites",
    "ALTER TABLE prices ADD COLUMN x bigserial;": "rewrites",
    "ALTER TABLE prices ADD COLUMN x integer REFERENCES sites (id);": "without a constraint",
    "ALTER TABLE prices DROP COLUMN item;": "old servers",
    "ALTER TABLE prices DROP item;": "old servers",
    "ALTER TABLE prices ADD COLUMN x text, DROP COLUMN item;": "old servers",
    "DROP TABLE prices;": "old servers",
    "ALTER TABLE prices RENAME COLUMN item TO number;": "old name",
    "ALTER TABLE prices RENAME TO observations;": "old name",
    "ALTER TABLE prices ALTER COLUMN item DROP DEFAULT;": "without the column",
    "-- contract: x\nDROP TABLE prices;": "old servers",
    "UPDATE prices SET item = 1;": "in batches",
    "DELETE FROM prices;": "in batches",
    "TRUNCATE prices;": "whole table",
    "LOCK TABLE prices;": "whole table",
    "CREATE TABLE sites (id integer); CREATE INDEX prices_idx ON prices (item);": "CONCURRENTLY",
}


@pytest.mark.parametrize("name", [name for name in migration_names() if int(name[:4]) > OLDER_THAN_THE_RULES] or [None])
def test_migration_blocks_and_breaks_no_server_of_the_previous_release(name: str | None) -> None:
    if name is not None:
        earlier = created_tables([other for other in migration_names() if other < name])
        assert find_violations((FOLDER / f"{name}.sql").read_text(encoding="utf-8"), earlier) == []


@pytest.mark.parametrize("text", ALLOWED)
def test_migration_rules_allow(text: str) -> None:
    assert find_violations(text, TABLES) == []


@pytest.mark.parametrize(("text", "reason"), FORBIDDEN.items(), ids=FORBIDDEN)
def test_migration_rules_forbid(text: str, reason: str) -> None:
    assert any(reason in found for found in find_violations(text, TABLES)), find_violations(text, TABLES)


def test_migration_rules_find_the_older_migrations_that_would_violate_them() -> None:
    found = {
        name
        for name in migration_names()[:OLDER_THAN_THE_RULES]
        if find_violations(
            (FOLDER / f"{name}.sql").read_text(encoding="utf-8"),
            created_tables([other for other in migration_names() if other < name]),
        )
    }
    assert found == {
        "0005_batch_queue",
        "0007_batch_changes",
        "0009_batch_uploader",
        "0011_long_validity_index",
        "0012_location_aliases",
    }
