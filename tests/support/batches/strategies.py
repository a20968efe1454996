"""Hypothesis strategies for worlds, amounts and batches."""

from decimal import Decimal

from hypothesis import strategies as st

from db.connection import Connection
from resolvers.uploads.items import PriceItem
from tests.support.worlds import Item, World

REGIONS = [f"region_{number}" for number in range(7)]


PORTS = ["AAAAA", "BBBBB", "CCCCC", "DDDDD", "EEEEE"]


amounts = st.one_of(
    st.decimals(min_value=-5_000, max_value=5_000, places=4),
    st.sampled_from([Decimal(0), Decimal("0.005"), Decimal("-0.005"), Decimal("1000.125"), Decimal(10_000_000)]),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a tree up to depth 6 whose regions contain ports, regions, both or nothing."""
    parents: dict[str, str | None] = {REGIONS[0]: None}
    for number, region in enumerate(REGIONS[1:], start=1):
        # The newest region has a higher probability than any other, so that deep chains are as frequent as wide trees.
        parents[region] = draw(st.sampled_from([None, REGIONS[number - 1], *REGIONS[:number]]))
    for port in PORTS:
        parents[port] = draw(st.sampled_from(REGIONS))
    return World(parents, set(PORTS))


async def clear(connection: Connection) -> None:
    await connection.execute(
        "TRUNCATE locations, prices, price_totals, price_sketches, stale_sketches, price_batches CASCADE"
    )
    await connection.execute("TRUNCATE archived_files, archived_lanes, archive_tombstones")


def as_upload(item: Item) -> PriceItem:
    """Convert the item to the form that the mutation passes on."""
    return PriceItem(str(item.first), item.origin, item.destination, str(item.price), str(item.last))
