"""Uploads by message: check one message, and store several as one batch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import msgspec

from db.connection import Connection
from db.pool import Pool
from db.repositories import audit, batches, payloads
from db.repositories.audit import Action
from db.repositories.payloads import MessageKey
from domain.batch_size import BatchLimits
from domain.batches import FileFormat, OnError, Rejection
from resolvers.uploads.batches import INVALID_TEXT, validate_idempotency_key, validate_items
from resolvers.uploads.items import PriceItem, encode_items, measure_long_items, validate_size

JSON_TYPE = "application/json"
DIGEST_BYTES = 16
"""Bytes of the digest of a message, which is stored with its ID.

Only messages of one queue with the same ID are compared.
"""
MAX_REASON_LENGTH = 300
_decoder = msgspec.json.Decoder(list[PriceItem] | PriceItem)


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """Limits on one message: bytes, items, and items that are valid for more than one day."""

    max_bytes: int
    max_items: int
    batch: BatchLimits


@dataclass(frozen=True, slots=True)
class PriceMessage:
    """Message that passed the checks of its form.

    Its items are checked when its batch is applied.

    Attributes:
        data: The items as NDJSON.
        digest: Digest of `data`, equal for a repeated message whatever its whitespace.
        price_days: Days of the items that are valid for more than one day, on `lane_months` lane-months.
    """

    message_id: str
    data: bytes
    digest: bytes
    item_count: int
    price_days: int
    lane_months: int


def parse_message(
    body: bytes, message_id: str | None, content_type: str | None, content_encoding: str | None, limits: MessageLimits
) -> PriceMessage | Rejection:
    """Return the message, or why it can never be stored."""
    problem = _validate_properties(body, message_id, content_type, content_encoding, limits)
    if problem is not None or message_id is None:
        return problem or _reject("INVALID_MESSAGE_ID", "the message has no message_id")
    try:
        decoded = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _reject("BAD_JSON", f"the body is neither an item nor an array of items: {error}")
    items = decoded if isinstance(decoded, list) else [decoded]
    problem = validate_items(items, limits.max_items) or validate_size(items, limits.batch)
    if problem is not None:
        return problem
    try:
        data = encode_items(items)
    except UnicodeEncodeError:
        return INVALID_TEXT
    digest = hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()
    return PriceMessage(message_id, data, digest, len(items), *measure_long_items(items))


def _validate_properties(
    body: bytes, message_id: str | None, content_type: str | None, content_encoding: str | None, limits: MessageLimits
) -> Rejection | None:
    """Return the rejection for the properties or the size of a message, or None."""
    if message_id is not None and (problem := validate_idempotency_key(message_id)) is not None:
        return _reject("INVALID_MESSAGE_ID", problem.message.replace("an idempotency key", "a message_id"))
    if content_type and content_type.partition(";")[0].strip().lower() != JSON_TYPE:
        return _reject("UNSUPPORTED_MEDIA_TYPE", f"the content type is {content_type!r}; expected {JSON_TYPE}")
    if content_encoding and content_encoding.strip().lower() not in {"utf-8", "utf8", "identity"}:
        return _reject(
            "UNSUPPORTED_MEDIA_TYPE", f"the content encoding is {content_encoding!r}; expected utf-8 or none"
        )
    if len(body) > limits.max_bytes:
        message = (
            f"the body has {len(body):,} bytes, limit {limits.max_bytes:,}; send several messages, or upload a file"
        )
        return _reject("MESSAGE_TOO_LARGE", message)
    return None


def _reject(code: str, message: str) -> Rejection:
    return Rejection(None, None, code, message[:MAX_REASON_LENGTH], None)


MESSAGE_ID_REUSED = _reject("MESSAGE_ID_REUSED", "the message_id was used with different content; choose a new one")


class StoreResult(NamedTuple):
    """Number of messages that were new, and the messages whose ID was used with other content."""

    new: int
    reused: list[PriceMessage]


class _KeyStoredMeanwhile(Exception):
    """Another transaction has stored one of the messages."""


@dataclass(frozen=True, slots=True)
class MessageSource:
    """Queue of messages, and the caller that owns their batches."""

    queue: str
    owner: str | None = None

    @property
    def name(self) -> str:
        """Name of the source in the keys of its messages and in the audit trail."""
        return f"amqp:{self.queue}"


async def store_messages(pool: Pool, messages: Sequence[PriceMessage], source: MessageSource) -> StoreResult:
    """Store the messages as one batch, in one transaction.

    Messages that were stored before are left out, and so nothing is stored if all were. The IDs of the messages differ. Invalid
    items are skipped, because they must not reject the messages of other producers. Raise DatabaseError.
    """
    while True:
        try:
            return await pool.write_idempotent(partial(_store_new, messages=messages, source=source))
        except _KeyStoredMeanwhile:
            continue


async def _store_new(connection: Connection, *, messages: Sequence[PriceMessage], source: MessageSource) -> StoreResult:
    known = await payloads.find_keys(connection, source.name, [message.message_id for message in messages])
    new = [message for message in messages if message.message_id not in known]
    if new:
        await _store_batch(connection, new, source)
    reused = [message for message in messages if known.get(message.message_id, message.digest) != message.digest]
    return StoreResult(len(new), reused)


async def _store_batch(connection: Connection, messages: Sequence[PriceMessage], source: MessageSource) -> None:
    data = b"".join(message.data for message in messages)
    detail = f"{source.queue} ({len(messages)} message{'s' if len(messages) > 1 else ''})"
    async with connection.transaction():
        # The keys of the messages make the batch idempotent: how messages are merged differs from time to time.
        batch_id = await batches.insert_batch(
            connection,
            on_error=OnError.SKIP_INVALID,
            source=detail,
            idempotency_key=None,
            payload_sha256=hashlib.sha256(data).digest(),
            uploader=source.owner or source.name,
        )
        assert batch_id is not None  # noqa: S101  # only a used idempotency key prevents the insertion
        keys, first_item = [], 1
        for message in messages:
            keys.append(MessageKey(message.message_id, message.digest, first_item))
            first_item += message.item_count
        if await payloads.insert_keys(connection, source.name, batch_id, keys) < len(keys):
            raise _KeyStoredMeanwhile
        await payloads.insert_payload(connection, batch_id=batch_id, part=0, format=FileFormat.NDJSON, data=data)
        await audit.insert_entry(connection, source.name, Action.UPLOAD, batch_id=batch_id, detail=detail)
        await batches.announce_batch(connection)
