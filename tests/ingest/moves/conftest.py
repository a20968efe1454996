"""Fixtures of changes in steps: a world in a database."""

from datetime import timedelta
from decimal import Decimal

import pytest

from db.connection import Connection
from ingest.tree import change_tree
from tests.support.moves.stepping import FIRST, PARENTS, PORTS
from tests.support.worlds import Item, World, apply_frame, frame_of


@pytest.fixture
async def world(connection: Connection) -> World:
    """A tree and a lane with a price of 71 days, in the database."""
    world = World({**PARENTS, **dict.fromkeys(PORTS, "deep")}, set(PORTS))
    world.items = [Item("AAAAA", "BBBBB", FIRST, FIRST + timedelta(days=70), Decimal(1))]
    await change_tree(connection, world.entries())
    await apply_frame(connection, frame_of(world.items))
    return world
