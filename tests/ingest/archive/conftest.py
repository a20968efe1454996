"""Fixtures of archives: an S3 server, and a database with prices of three months."""

import asyncio
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from db.pool import INGEST, connect
from ingest.tree import change_tree
from tests.support.s3_server import S3Server, running_s3_server
from tests.support.worlds import Item, World, apply_frame, frame_of


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """Yield a running S3 server."""
    with running_s3_server() as server:
        yield server


@pytest.fixture(params=["file", "s3"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty archive, in a folder and in a bucket."""
    if request.param == "file":
        return tmp_path.as_uri()
    server: S3Server = request.getfixturevalue("s3_server")
    return f"{server.create_bucket()}/prices"


@pytest.fixture
def filled_url(database_url: str) -> str:
    """Return a database with four prices a day from December to February, as one batch a month."""
    world = World(
        {"europe": None, "NLRTM": "europe", "DEHAM": "europe", "china": None, "CNSGH": "china"},
        {"NLRTM", "DEHAM", "CNSGH"},
    )

    async def fill() -> None:
        async with connect(database_url, INGEST) as connection:
            await change_tree(connection, world.entries())
            for month in (date(2023, 12, 1), date(2024, 1, 1), date(2024, 2, 1)):
                # The second price lasts until the next month.
                spans = [(month.replace(day=1), month.replace(day=28)), (month.replace(day=20), next_month(month))]
                await apply_frame(
                    connection,
                    frame_of(
                        [
                            Item("CNSGH", port, first, last, Decimal(amount))
                            for first, last in spans
                            for port in ("NLRTM", "DEHAM")
                            for amount in ("10.0050", "-3.1", "1000000.1234")
                        ]
                    ),
                )

    asyncio.run(fill())
    return database_url


def next_month(month: date) -> date:
    """Return the fifth day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 5)
