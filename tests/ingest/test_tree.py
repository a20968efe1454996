"""Region and port files: loads, updates, and rejections with file and line but no effect."""

import io
import time
from contextlib import nullcontext

import pytest

from db.connection import Connection
from db.repositories import locations
from domain.locations import LocationKind, TreeChange, TreeEntry
from ingest.errors import TreeRejected
from ingest.location_files import read_ports, read_regions
from ingest.tree import PlannedTree, change_tree

pytestmark = pytest.mark.anyio

REGIONS = b"slug,name,parent_slug\nbaltic,Baltic,north\nnorth,North,\n"
PORTS = b"code,name,parent_slug\nse mma,Malm\xc3\xb6,baltic\nPLGDN,Gdansk,north\n"


async def load(connection: Connection, regions: bytes | None = REGIONS, ports: bytes | None = PORTS) -> TreeChange:
    """Load both files as the command does."""
    entries: list[TreeEntry] = []
    entries += read_regions(io.BytesIO(regions), "regions.csv") if regions is not None else []
    entries += read_ports(io.BytesIO(ports), "ports.csv") if ports is not None else []
    return await change_tree(connection, entries)


async def tree(connection: Connection) -> dict[str, tuple[LocationKind, str, str | None]]:
    """Return key → (kind, name, parent key)."""
    known = await locations.list_locations(connection)
    keys = {location.id: location.key for location in known}
    return {location.key: (location.kind, location.name, keys.get(location.parent_id or 0)) for location in known}


async def test_region_tree_load_accepts_children_before_their_parents(connection: Connection) -> None:
    assert await load(connection) == TreeChange(added=4, moved=0, unchanged=0)
    assert await tree(connection) == {
        "baltic": (LocationKind.REGION, "Baltic", "north"),
        "north": (LocationKind.REGION, "North", None),
        "SEMMA": (LocationKind.PORT, "Malmö", "baltic"),
        "PLGDN": (LocationKind.PORT, "Gdansk", "north"),
    }


async def test_region_tree_reload_updates_names_and_parents_only(connection: Connection) -> None:
    await load(connection)
    change = await load(
        connection, None, b"code,name,parent_slug\nPLGDN,Gda\xc5\x84sk,baltic\nSEMMA,Malm\xc3\xb6,BALTIC\n"
    )
    assert change == TreeChange(added=0, moved=1, unchanged=1)
    assert (await tree(connection))["PLGDN"] == (LocationKind.PORT, "Gdańsk", "baltic")
    assert len(await tree(connection)) == 4


@pytest.mark.parametrize(
    ("regions", "ports", "code", "words"),
    [
        (b"slug,name,parent_slug\na,A,b\nb,B,c\nc,C,a\n", None, "REGION_CYCLE", "regions.csv:2: cycle: a → b → c → a"),
        (b"slug,name,parent_slug\nnorth,North,baltic\n", None, "REGION_CYCLE", "regions.csv:2"),
        (b"slug,name,parent_slug\nown,Own,own\n", None, "REGION_CYCLE", "regions.csv:2"),
        (b"slug,name,parent_slug\nx,X,\ny,Y,nowhere\n", None, "UNKNOWN_PARENT", "regions.csv:3"),
        (None, b"code,name,parent_slug\nDEHAM,Hamburg,nowhere\n", "UNKNOWN_PARENT", "ports.csv:2"),
        (None, b"code,name,parent_slug\nDEHAM,Hamburg,\n", "UNKNOWN_PARENT", "ports.csv:2"),
        (None, b"code,name,parent_slug\nDEHAM,Hamburg,semma\n", "UNKNOWN_PARENT", "is a port"),
        (b"slug,name,parent_slug\nsemma,Clash,north\n", None, "LOCATION_CLASH", "regions.csv:2"),
        (b"slug,name,parent_slug\nplgdy,X,\n", b"code,name,parent_slug\nPLGDY,X,north\n", "DUPLICATE_LOCATION", "ports.csv:2"),
        (b"slug,name,parent_slug\nx,X,\nX,Again,\n", None, "DUPLICATE_LOCATION", "x is a duplicate of regions.csv:2"),
        (b"slug,name,parent_slug\nno spaces,X,\n", None, "INVALID_SLUG", "regions.csv:2"),
        (b"slug,name,parent_slug\nx,,\n", None, "INVALID_NAME", "regions.csv:2"),
        (None, b"code,name,parent_slug\nHAMBURG,Hamburg,north\n", "INVALID_CODE", "ports.csv:2"),
    ],
)  # fmt: skip
async def test_region_tree_load_rejects_invalid_files_by_line_and_changes_nothing(
    connection: Connection, regions: bytes | None, ports: bytes | None, code: str, words: str
) -> None:
    await load(connection)
    before = await tree(connection)
    with pytest.raises(TreeRejected) as caught:
        await load(connection, regions, ports)
    assert caught.value.code == code
    assert words in caught.value.message
    assert await tree(connection) == before


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (b"slug,name,parent_slug\na b,X,\n", 'regions.csv:2: "a b" is not a valid slug ('),
        ("slug,name,parent_slug\nx,X,å\u3000b\n".encode(), 'regions.csv:2: parent "\\u00e5\\u3000b" is not a known region'),
    ],
)  # fmt: skip
async def test_region_tree_errors_quote_texts_as_graphql_does(
    connection: Connection, regions: bytes, message: str
) -> None:
    with pytest.raises(TreeRejected) as caught:
        await load(connection, regions, None)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("is_cyclic", [False, True])
def test_planned_tree_checks_a_chain_of_thousands_of_regions_at_once(is_cyclic: bool) -> None:
    keys = [f"r{number}" for number in range(3_000)]
    parents = [keys[-1] if is_cyclic else None, *keys]
    entries = [
        TreeEntry(LocationKind.REGION, key, key, parent, f"item {number}", number)
        for number, (key, parent) in enumerate(zip(keys, parents, strict=False), start=1)
    ]
    began = time.process_time()
    with pytest.raises(TreeRejected, match=r"item 1: cycle: r0 → r2999 → r2998 → ") if is_cyclic else nullcontext():
        PlannedTree(entries, {}).check()
    # Comparing each region with all regions above it takes half a minute.
    assert time.process_time() - began < 5


async def test_region_tree_queries_terminate_on_a_cycle_in_the_table(connection: Connection) -> None:
    await load(connection)
    await connection.execute(
        "UPDATE locations SET parent_id = (SELECT id FROM locations WHERE key = 'baltic') WHERE key = 'north'"
    )
    known = {location.key: location for location in await locations.list_locations(connection)}
    ports = await locations.list_ports_below(connection, [known["baltic"].id])
    assert {port.key for _, port in ports} == {"SEMMA", "PLGDN"}
    above = await locations.list_ancestors(connection, [known["SEMMA"].id])
    assert [ancestor.key for _, ancestor in above] == ["baltic", "north"]
