"""Bits that flip on the disk of the database, without a change of any transaction ID."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from db.embedded.supervisor import embedded_server
from db.migrate import migrate
from db.pool import INGEST, connect
from ingest.tree import change_tree
from tests.support.commands.processes import ratesgraph
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WORLD = World({"top": None, "low": "top", "AAAAA": "low", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
CENTS = 987_654_321
"""Its bytes occur only where this price is stored, or its sums."""
ITEM = Item("AAAAA", "BBBBB", date(2024, 1, 30), date(2024, 2, 2), Decimal(CENTS) / 100)
COLUMNS = {"price_totals": "price_sums", "prices": "usd_cents", "price_sketches": "sketch"}


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run the server of a data folder, and stop it at the end."""
    with embedded_server(folder) as url:
        yield url


async def fill(url: str) -> None:
    """Store and verify a batch."""
    migrate(url)
    async with connect(url, INGEST) as connection:
        await change_tree(connection, WORLD.entries())
        await apply_frame(connection, frame_of([ITEM]))
    assert "All averages verified (2 months)" in ratesgraph(url, "verify").stdout


def find_file(url: str, table: str) -> str:
    """Return the path of a table below the data folder."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_relation_filepath(%s)", (table,)).fetchone()
        assert row is not None
        return str(row[0])


def flip_bit(file: Path, table: str) -> None:
    """Flip a bit of a stored value, near its end."""
    data = bytearray(file.read_bytes())
    if table == "price_sketches":
        # The last byte of the tuple that lies at the end of the page is the count of its last entry.
        position = len(data) - 1
        while data[position] == 0:
            position -= 1
    else:
        position = bytes(data).index(CENTS.to_bytes(8, "little"))
    data[position] ^= 4
    file.write_bytes(data)


@pytest.mark.parametrize("table", COLUMNS)
async def test_verify_finds_a_bit_that_flips_on_the_disk(tmp_path: Path, table: str) -> None:
    with server(tmp_path) as url:
        await fill(url)
        name = find_file(url, table)
    flip_bit(tmp_path / "postgresql" / name, table)
    with server(tmp_path) as url:
        # PostgreSQL compares the checksum of the page first.
        refused = ratesgraph(url, "verify", exit_code=1)
        assert "invalid page" in refused.stderr
        assert "restore them from a backup" in refused.stderr
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET ignore_checksum_failure = on")
            connection.execute("SELECT pg_reload_conf()")
        found = ratesgraph(url, "verify", exit_code=1)
        assert "checked month" in found.stderr
        assert "2024-0" in found.stdout
