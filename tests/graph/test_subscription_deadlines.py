"""Deadlines of the events of subscriptions."""

import asyncio
from typing import Any

import pytest

from db.pool import INGEST, connect
from db.repositories import batches
from graph.types import batches as batch_types
from resolvers.lanes import list_lanes
from tests.support.batches.uploads import VALID_ITEM
from tests.support.fixtures.server import running_server
from tests.support.fixtures.subscriptions import Watched
from tests.support.http.subscriptions import PROGRESS, each_transport, upload
from tests.support.streams import open_subscription


@each_transport
def test_subscription_event_has_the_deadline_of_a_query_and_the_next_one_follows(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    calls = 0

    async def wait_in_the_first_event(*args: Any, **options: Any) -> object:  # noqa: ANN401
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        return await list_lanes(*args, **options)

    async def begin_attempt() -> None:
        async with connect(watched.database_url, INGEST) as connection:
            await batches.begin_attempt(connection, max_attempts=5)

    monkeypatch.setattr(batch_types, "list_lanes", wait_in_the_first_event)
    batch_id = upload(watched, VALID_ITEM)
    query = PROGRESS.replace("status", "status lanes { totalCount }")
    with (
        running_server(watched.database_url, execution_seconds=1.0) as impatient,
        open_subscription(str(impatient.http.base_url), transport, query, id=batch_id) as answers,
    ):
        late = next(answers)
        assert late["data"] is None
        assert [error["extensions"]["code"] for error in late["errors"]] == ["EXECUTION_TIMEOUT"]
        asyncio.run(begin_attempt())
        punctual = next(answers)
        assert punctual["data"]["batchProgress"]["lanes"] == {"totalCount": 0}
        assert punctual["data"]["batchProgress"]["status"] == "RUNNING"
