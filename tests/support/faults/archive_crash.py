"""Process that archives prices and kills itself at one step.

Run `python -m tests.support.faults.archive_crash`. Arguments: database URL, first day that stays, URL of the archive, step.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

from db.pool import INGEST, connect
from db.repositories import prices
from ingest.archive import write
from ingest.archive.storage import Folder

STEPS = (
    "before the file",
    "within the file",
    "after the file",
    "after the entry",
    "after the deletion",
    "after the month",
)


def die(*_: object) -> None:
    """Kill this process, as a loss of power would."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, followed by the end of the process."""
    if asyncio.iscoroutinefunction(function):

        async def run(*arguments: object) -> None:
            await function(*arguments)
            die()

        return run

    def call(*arguments: object) -> None:
        function(*arguments)
        die()

    return call


async def archive_until(database_url: str, before: date, url: str, step: str) -> None:
    """Archive the prices, and die at the step."""
    patches = {
        "before the file": mock.patch.object(Folder, "write", die),
        "within the file": mock.patch.object(Path, "rename", die),
        "after the file": mock.patch.object(Folder, "write", dying_after(Folder.write)),
        "after the entry": mock.patch.object(prices, "insert_archived_file", dying_after(prices.insert_archived_file)),
        "after the deletion": mock.patch.object(prices, "delete_month_prices", dying_after(prices.delete_month_prices)),
        "after the month": mock.patch.object(write, "ArchivedMonth", die),
    }
    with patches[step]:
        async with connect(database_url, INGEST) as connection:
            async for _ in write.archive_prices(connection, before, url):
                pass


if __name__ == "__main__":
    asyncio.run(archive_until(sys.argv[1], date.fromisoformat(sys.argv[2]), *sys.argv[3:]))
