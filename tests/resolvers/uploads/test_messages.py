"""Messages: which are refused, how they are merged, and which are stored."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aio_pika.abc import AbstractIncomingMessage

from db.connection import Connection
from db.pool import INGEST, open_pool
from db.repositories import batches, payloads
from domain.batch_size import BatchLimits
from domain.batches import BatchOutcome, BatchStatus, Rejection
from resolvers.uploads.messages import MessageLimits, MessageSource, PriceMessage, parse_message, store_messages
from server.amqp.merge import Merge

LIMITS = MessageLimits(max_bytes=2_000, max_items=10, batch=BatchLimits(max_price_days=100, max_lane_months=4))
ITEM = {"origin": "CNSGH", "destination": "NLRTM", "dateFrom": "2024-01-01", "price": 10}
SOURCE = MessageSource("prices")
pytestmark = pytest.mark.anyio


def parse(content: object, message_id: str | None = "one", kind: str | None = None) -> PriceMessage | Rejection:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return parse_message(body, message_id, kind, None, LIMITS)


def parsed(message_id: str, **fields: object) -> PriceMessage:
    message = parse({**ITEM, **fields}, message_id)
    assert isinstance(message, PriceMessage)
    return message


@pytest.mark.parametrize(
    ("content", "message_id", "kind", "code"),
    [
        (ITEM, None, None, "INVALID_MESSAGE_ID"),
        (ITEM, "", None, "INVALID_MESSAGE_ID"),
        (ITEM, "x" * 201, None, "INVALID_MESSAGE_ID"),
        (ITEM, "a\0b", None, "INVALID_MESSAGE_ID"),
        (ITEM, "one", "text/csv", "UNSUPPORTED_MEDIA_TYPE"),
        (ITEM, "one", "application/jsonx", "UNSUPPORTED_MEDIA_TYPE"),
        (b"", "one", None, "BAD_JSON"),
        (b"{", "one", None, "BAD_JSON"),
        (b'"text"', "one", None, "BAD_JSON"),
        (b"null", "one", None, "BAD_JSON"),
        (b"[[[[]]]]", "one", None, "BAD_JSON"),
        (b'{"origin": "\xff"}', "one", None, "BAD_JSON"),
        (b'{"origin": "\\ud800"}', "one", None, "BAD_JSON"),
        (b'{"price": 1e999}', "one", None, "BAD_JSON"),
        (b'{"price": ' + b"9" * 1_900 + b"}", "one", None, None),
        ({**ITEM, "vessel": "x"}, "one", None, "BAD_JSON"),
        ({**ITEM, "origin": 5}, "one", None, "BAD_JSON"),
        ([], "one", None, "EMPTY_BATCH"),
        ([{}] * 11, "one", None, "TOO_MANY_ITEMS"),
        ({**ITEM, "dateTo": "2024-12-31"}, "one", None, "BATCH_TOO_LARGE"),
        ({**ITEM, "origin": "X" * 2_000}, "one", None, "MESSAGE_TOO_LARGE"),
        (ITEM, "one", "application/json; charset=utf-8", None),
        ([ITEM, {}], "one", None, None),
    ],
)
def test_message_is_refused_with_a_code(content: object, message_id: str, kind: str, code: str | None) -> None:
    message = parse(content, message_id, kind)
    assert getattr(message, "code", None) == code
    if isinstance(message, Rejection):
        assert 0 < len(message.message) <= 300


def test_digest_of_a_message_ignores_whitespace_and_order() -> None:
    spaced, ordered = (
        parse(text.encode()) for text in (json.dumps([ITEM], indent=4), json.dumps(ITEM, sort_keys=True))
    )
    assert isinstance(spaced, PriceMessage)
    assert spaced == ordered
    assert spaced.digest != parsed("one", price=11).digest


@dataclass
class Delivery:
    """Parts of a delivered message that a merge reads."""

    message_id: str
    body: bytes
    content_type: None = None
    content_encoding: None = None
    headers: dict[str, object] = field(default_factory=dict)


def deliver(message_id: str, **fields: object) -> AbstractIncomingMessage:
    return cast("AbstractIncomingMessage", Delivery(message_id, json.dumps({**ITEM, **fields}).encode()))


def test_merge_ends_before_its_messages_exceed_the_limits_of_a_batch() -> None:
    months = {"dateFrom": "2024-01-31", "dateTo": "2024-02-02"}
    merge = Merge(LIMITS, max_items=100)
    assert [merge.add(deliver(f"m{lane}", origin=f"CN{lane}", **months)) for lane in range(3)] == [True, True, False]
    assert len(merge) == 2
    days = Merge(LIMITS, max_items=100)
    assert [days.add(deliver(name, dateTo="2024-01-31")) for name in "abcd"] == [True, True, True, False]
    items = Merge(LIMITS, max_items=2)
    assert [items.add(deliver("a")), items.is_full, items.add(deliver("b")), items.is_full] == [True, False, True, True]


def test_merge_keeps_one_of_repeated_messages_and_refuses_a_reused_id() -> None:
    merge = Merge(LIMITS, max_items=100)
    assert all([merge.add(deliver("a")), merge.add(deliver("a")), merge.add(deliver("a", price=11))])
    assert (list(merge.stored), len(merge), [reason.code for _, reason in merge.refused]) == (
        ["a"],
        3,
        ["MESSAGE_ID_REUSED"],
    )


async def test_concurrent_batches_with_common_messages_store_each_once(database_url: str) -> None:
    first, second = ([parsed(f"m{number}") for number in range(*bounds)] for bounds in ((0, 60), (30, 90)))
    async with open_pool(database_url, INGEST, max_size=4) as pool:
        results = await asyncio.gather(
            store_messages(pool, first, SOURCE),
            store_messages(pool, second[::-1], SOURCE),
            store_messages(pool, first[::-1], MessageSource("other")),
        )
        reused = await store_messages(pool, [parsed("m0", price=11), parsed("m1")], SOURCE)
        async with pool.connection() as connection:
            keys = await (await connection.execute(b"SELECT count(*) FROM message_keys")).fetchone()
            stored = await batches.get_batches(connection, range(1, 100))
    assert results[0].new + results[1].new == 90
    assert results[2].new == 60
    assert keys == (150,)
    assert (reused.new, [message.message_id for message in reused.reused]) == (0, ["m0"])
    assert min(batch.source for batch in stored) == "other (60 messages)"
    assert {batch.uploader for batch in stored} == {"amqp:prices", "amqp:other"}


async def test_message_ids_expire_after_the_end_of_their_batch(database_url: str, connection: Connection) -> None:
    async with open_pool(database_url, INGEST, max_size=2) as pool:
        for name in ("old", "new", "waiting"):
            await store_messages(pool, [parsed(name)], SOURCE)
    for batch_id in (1, 2):
        await batches.end_batch(connection, batch_id, BatchOutcome(BatchStatus.APPLIED, 1, 1, 0))
    await connection.execute(b"UPDATE price_batches SET ended_at = ended_at - interval '8 days' WHERE id = 1")
    assert await payloads.delete_old_keys(connection, days=7) == 1
    assert await payloads.delete_old_keys(connection, days=7) == 0
    found: dict[str, Any] = await payloads.find_keys(connection, SOURCE.name, ["old", "new", "waiting"])
    assert sorted(found) == ["new", "waiting"]
