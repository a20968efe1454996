"""Request contexts without a server."""

import asyncio
from types import SimpleNamespace
from typing import BinaryIO

from db.notifications import Notifications
from db.pool import Pool
from db.repositories.previews import Preview
from domain.batches import BatchStatus, FileFormat, OnError, Rejection
from domain.locations import TreeChange
from resolvers.caller import AuthScope, Caller
from resolvers.context import AppContext, Limits, RequestContext
from resolvers.loading.day_totals import create_day_totals_loader
from resolvers.price_changes import PriceChanges
from server.ingest_adapter import create_archive_reader

OPERATOR = Caller("", frozenset(AuthScope))
ADMITTED = SimpleNamespace(caller=OPERATOR)
"""Minimal context for schemas whose resolvers use none."""


async def _revert_nothing(_batch_id: int, _by: str) -> BatchStatus | None:
    raise AssertionError("no batch is reverted here")


async def change_nothing(_entries: object, _by: str) -> TreeChange | Rejection:
    """Fail, as a stub of tree changes."""
    raise AssertionError("no location is changed here")


async def preview_nothing(_file: BinaryIO, _file_format: FileFormat, _on_error: OnError) -> Preview:
    """Fail, as a stub of dry runs."""
    raise AssertionError("no dry run happens here")


def reading_context(pool: Pool, limits: Limits | None = None) -> RequestContext:
    """Return a context of a caller with every scope."""
    shared = AppContext(
        pool,
        pool,
        create_day_totals_loader(pool),
        create_day_totals_loader(pool),
        limits or Limits(),
        Notifications(),
        PriceChanges(pool),
        _revert_nothing,
        change_nothing,
        preview_nothing,
        create_archive_reader(execution_seconds=60),
        asyncio.Semaphore(),
    )
    return RequestContext(shared, OPERATOR)
