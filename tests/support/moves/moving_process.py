"""Process that moves the port AAAAA, and waits for a line of input before each step.

It prints the number of a step before it waits. After the last number it applies the change.
"""

import asyncio
import sys
from unittest.mock import patch

from db.connection import is_in_transaction
from db.pool import INGEST, connect
from domain.locations import LocationKind, TreeEntry
from ingest.moves import steps
from ingest.tree import change_tree
from tests.support.moves.stepping import steps_of_any_size
from tests.support.waiting import DEADLINE_SECONDS

ENTRY = TreeEntry(LocationKind.PORT, "AAAAA", None, "right", "test:1")


async def _main(database_url: str) -> None:
    count = 0

    async with connect(database_url, INGEST) as connection:

        def wait(_fraction: float) -> None:
            nonlocal count
            if is_in_transaction(connection):
                return
            print(count, flush=True)  # noqa: T201
            count += 1
            sys.stdin.readline()

        # However slow the machine is, uploads do not queue behind the change.
        with steps_of_any_size(), patch.object(steps, "LOCK_PATIENCE_SECONDS", DEADLINE_SECONDS):
            await change_tree(connection, [ENTRY], report=wait)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
