"""A database whose disk is full, as far as one table is concerned."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def raise_disk_full(database_url: str, table: str) -> Iterator[None]:
    """Let every insertion into the table fail for the block as on a full disk (SQLSTATE 53100)."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            f"""
            CREATE FUNCTION raise_disk_full() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'could not extend file "base/1/2": No space left on device' USING ERRCODE = 'disk_full'; END $$;
            CREATE TRIGGER disk_full BEFORE INSERT ON {table} EXECUTE FUNCTION raise_disk_full()
            """.encode()
        )
        try:
            yield
        finally:
            connection.execute(f"DROP TRIGGER disk_full ON {table}; DROP FUNCTION raise_disk_full()".encode())
