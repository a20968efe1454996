"""A database of the first release, after its migration to this one."""

import asyncio
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from db.pool import INGEST, connect
from db.repositories import sketches
from db.repositories.sketches import ALL_MONTHS
from ingest.sketches.rebuild import rebuild_stale
from ingest.verify import verify
from tests.support.batches.sketches import expect_cells, read_cells
from tests.support.commands.processes import environment, ratesgraph
from tests.support.deployment.releases import NoHistory, extract
from tests.support.faults.world import PORTS, REGIONS
from tests.support.worlds import Item, World, to_cents

FIRST_RELEASE = "332f2c6"
FOLDERS = ("db", "graph", "ingest", "resolvers", "server")
COMMAND = "from server.cli import main; main()"


@pytest.fixture
def world() -> World:
    world = World({**REGIONS, **PORTS}, set(PORTS))
    world.items += [
        Item(origin, destination, day, day + timedelta(number % 40), to_cents(Decimal(number * 1_000) / 7 - 2_000))
        for number in range(60)
        for origin, destination, day in [
            (["CNSGH", "CNNGB"][number % 2], ["NLRTM", "DEHAM"][number % 3 % 2], date(2024, 1, 10) + timedelta(number))
        ]
    ]
    return world


def write_files(world: World, folder: Path) -> tuple[str, ...]:
    """Write the tree and the prices as CSV, and return the paths of regions, ports and prices."""
    texts = {
        "regions.csv": [
            "slug,name,parent_slug",
            *(f"{key},{key},{parent or ''}" for key, parent in REGIONS.items()),
        ],
        "ports.csv": ["code,name,parent_slug", *(f"{key},{key},{parent}" for key, parent in PORTS.items())],
        "prices.csv": [
            "origin,destination,date_from,date_to,price",
            *(f"{i.origin},{i.destination},{i.first},{i.last},{i.price}" for i in world.items),
        ],
    }
    for name, lines in texts.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tuple(str(folder / name) for name in texts)


def test_data_of_the_first_release_gets_sketches(empty_database_url: str, tmp_path: Path, world: World) -> None:
    try:
        release = extract(FIRST_RELEASE, FOLDERS, tmp_path / "release")
    except NoHistory as error:
        pytest.skip(f"the first release is unknown: {error}")
    regions, ports, prices = write_files(world, tmp_path)
    for arguments in (
        ["migrate"],
        ["locations", "load", "--regions", regions, "--ports", ports],
        ["prices", "load", prices],
    ):
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=tmp_path,
            env={**environment(empty_database_url), "PYTHONPATH": str(release)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    ratesgraph(empty_database_url, "migrate")
    asyncio.run(_check(empty_database_url, world))


async def _check(database_url: str, world: World) -> None:
    async with connect(database_url, INGEST) as connection:
        assert await sketches.list_stale_months(connection) == [ALL_MONTHS]
        assert [month async for month in rebuild_stale(connection)] == [date(2024, month, 1) for month in range(1, 4)]
        assert await read_cells(connection) == expect_cells(world)
        assert [found async for _, found in verify(connection) if found] == []
