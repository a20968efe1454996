"""Fixture of a verified database."""

import pytest

from db.connection import Connection
from ingest.tree import change_tree
from tests.support.verification.verified_world import EVERYTHING, ITEMS, WORLD, check
from tests.support.worlds import apply_frame, frame_of


@pytest.fixture
async def verified(connection: Connection) -> Connection:
    """A database whose three months are verified."""
    # The database holds sums and counts by day, as it does until it is contracted.
    await connection.execute("ALTER TABLE price_totals ALTER price_sums SET NOT NULL")
    await change_tree(connection, WORLD.entries())
    for item in ITEMS * 2:
        await apply_frame(connection, frame_of([item]))
    assert await check(connection) == dict.fromkeys(EVERYTHING, 0)
    assert await check(connection) == {}
    return connection
