"""A world with ports that have aliases, and ports that share a name."""

import asyncio
from datetime import date
from decimal import Decimal

from db.pool import INGEST, connect
from domain.locations import LocationKind, TreeEntry
from ingest.tree import change_tree
from tests.support.worlds import Item, apply_frame, frame_of

DAY = date(2024, 1, 1)
TREE = [
    ("asia", "Asia", None),
    ("europe", "Europe", None),
    ("america", "Both Americas", None),
    ("us_gulf", "US Gulf", "america"),
    ("us_west_coast", "US West Coast", "america"),
    ("CNSGH", "Shanghai", "asia"),
    ("KRPUS", "Busan", "asia"),
    ("VNSGN", "Ho Chi Minh City", "asia"),
    ("BEANR", "Antwerpen", "europe"),
    ("NLRTM", "Rotterdam", "europe"),
    ("MXZLO", "Manzanillo", "america"),
    ("PAMIT", "Manzanillo", "america"),
]


def load_aliased_world(database_url: str) -> None:
    """Create the tree, with three prices from Shanghai to Antwerp."""

    async def work() -> None:
        async with connect(database_url, INGEST) as connection:
            kinds = {True: LocationKind.PORT, False: LocationKind.REGION}
            entries = [TreeEntry(kinds[key.isupper()], key, name, parent, "test:1") for key, name, parent in TREE]
            await change_tree(connection, entries)
            items = [Item("CNSGH", "BEANR", DAY, DAY, Decimal(price)) for price in (10, 20, 60)]
            await apply_frame(connection, frame_of(items))

    asyncio.run(work())
