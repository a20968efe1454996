"""Session: consumes the queue on one connection to the broker, from its opening to its loss."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from aio_pika.abc import AbstractIncomingMessage

from db.background import background_task
from db.embedded.disk_space import DiskSpace
from db.errors import DatabaseError, DiskFull, describe_for_operator
from db.pool import Pool
from resolvers.uploads.messages import (
    MESSAGE_ID_REUSED,
    MessageLimits,
    MessageSource,
    PriceMessage,
    StoreResult,
    store_messages,
)
from server.amqp.broker import CONNECT_SECONDS, CONNECTION_ERRORS, OpenQueue
from server.amqp.dead_letters import publish_dead_letter
from server.amqp.errors import BrokerLost
from server.amqp.merge import Merge

log = logging.getLogger("ratesgraph.amqp")

FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 2.0
CHECK_SECONDS = 15.0
"""Interval at which an idle session checks its queue: a deleted queue sends neither messages nor an error."""


@dataclass(frozen=True, slots=True)
class MergeRules:
    """Limits of a batch: `max_items` items, or `max_seconds` after its first message."""

    limits: MessageLimits
    max_items: int
    max_seconds: float


@dataclass(slots=True)
class MessageCounts:
    """Counts of messages and batches since the start of the consumer.

    Received messages that were neither stored nor dead-lettered are duplicates.
    """

    received: int = 0
    stored: int = 0
    batches: int = 0
    dead_lettered: int = 0


@dataclass(slots=True)
class Session:
    """Consumer of an open queue. Messages are acknowledged after the COMMIT of their batch.

    Attributes:
        prefetch: Prefetch count of the channel. When so many messages have arrived, a batch is stored at once.
        acknowledged: Number of messages that this session has acknowledged.
    """

    opened: OpenQueue
    source: MessageSource
    pool: Pool
    rules: MergeRules
    prefetch: int
    stop: asyncio.Event
    counts: MessageCounts
    disk_space: DiskSpace | None = None
    acknowledged: int = 0
    _inbox: deque[AbstractIncomingMessage] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _consumer_tag: str | None = None

    async def run(self, max_messages: int | None = None) -> None:
        """Consume until `stop` is set or `max_messages` were acknowledged.

        Raise BrokerLost when the connection breaks.

        Messages that were delivered before the stop are stored, unless the database is unavailable: then the broker delivers
        them to another consumer.
        """
        self.opened.channel.close_callbacks.add(self._on_close)
        async with background_task(self._forward_stop()):
            try:
                await self._consume()
                while not self.stop.is_set() and (max_messages is None or self.acknowledged < max_messages):
                    await self._handle(await self._collect())
                await self._cancel()
                while self._inbox and not self.opened.channel.is_closed:
                    await self._handle(await self._collect())
            except CONNECTION_ERRORS as error:
                raise BrokerLost(type(error).__name__) from error
            except _Interrupted:
                return

    async def _forward_stop(self) -> None:
        await self.stop.wait()
        self._changed.set()

    def _on_close(self, *_: object) -> None:
        self._changed.set()

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self._inbox.append(message)
        self._changed.set()

    async def _consume(self) -> None:
        self._consumer_tag = await self.opened.queue.consume(self._on_message, timeout=CONNECT_SECONDS)

    async def _cancel(self) -> None:
        """Stop the delivery of messages. Those in the inbox stay there, unacknowledged."""
        tag, self._consumer_tag = self._consumer_tag, None
        if tag is not None:
            await self.opened.queue.cancel(tag, timeout=CONNECT_SECONDS)

    async def _collect(self) -> Merge:
        """Wait for messages and return those of the next batch; none after the stop.

        Raise BrokerLost.
        """
        loop = asyncio.get_running_loop()
        merge = Merge(self.rules.limits, self.rules.max_items)
        deadline = loop.time() + CHECK_SECONDS
        while True:
            self._changed.clear()
            if not len(merge) and self._inbox:
                deadline = loop.time() + self.rules.max_seconds
            while self._inbox:
                if merge.is_full or not merge.add(self._inbox[0]):
                    return merge
                self._inbox.popleft()
            if self.opened.channel.is_closed:
                raise BrokerLost("the broker closed the channel")
            if merge.is_full or len(merge) >= self.prefetch or self.stop.is_set():
                return merge
            if not await self._wait_for_change(deadline - loop.time()):
                if len(merge):
                    return merge
                await self._check_queue()
                deadline = loop.time() + CHECK_SECONDS

    async def _wait_for_change(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0))
        except TimeoutError:
            return False
        return True

    async def _check_queue(self) -> None:
        """Raise BrokerLost if the queue no longer delivers messages to this session."""
        queue = await self.opened.channel.declare_queue(self.opened.queue.name, passive=True, timeout=CONNECT_SECONDS)
        if not queue.declaration_result.consumer_count:
            raise BrokerLost("the queue was deleted or declared again")

    async def _handle(self, merge: Merge) -> None:
        """Store the messages, dead-letter the refused ones, and then acknowledge all of them."""
        if merge.last is None:
            return
        if merge.stored:
            result = await self._store(list(merge.stored.values()))
            merge.refused += [(delivery, MESSAGE_ID_REUSED) for delivery in merge.find_deliveries(result.reused)]
            self.counts.batches += result.new > 0
            self.counts.stored += result.new
        for delivery, rejection in merge.refused:
            await publish_dead_letter(self.opened.dead_letters, self.opened.queue.name, delivery, rejection)
        if merge.refused:
            codes = Counter(rejection.code for _, rejection in merge.refused)
            log.warning("dead-lettered messages", extra={"codes": dict(codes)})
        # Messages arrive in the order of their delivery tags, so this acknowledges exactly those of the merge.
        await merge.last.ack(multiple=True)
        self.acknowledged += len(merge)
        self.counts.received += len(merge)
        self.counts.dead_lettered += len(merge.refused)

    async def _store(self, messages: Sequence[PriceMessage]) -> StoreResult:
        """Store the messages as one batch, after the end of an outage of the database.

        Meanwhile the queue is not consumed. Rejected messages would be redelivered at once, and reach the delivery limit.
        """
        pause, is_paused = FIRST_PAUSE_SECONDS, False
        while True:
            try:
                if self.disk_space is not None and self.disk_space.find_shortage() is not None:
                    raise DiskFull
                result = await store_messages(self.pool, messages, self.source)
            except DatabaseError as error:
                if not is_paused:
                    log.warning("the database cannot store messages; not consuming: %s", describe_for_operator(error))
                    is_paused = self._consumer_tag is not None
                    await self._cancel()
                await self._pause(pause)
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
                continue
            if is_paused and not self.stop.is_set():
                log.warning("the database stores messages again; consuming")
                await self._consume()
            return result

    async def _pause(self, seconds: float) -> None:
        """Wait. Raise BrokerLost if the connection breaks meanwhile, and _Interrupted at the stop."""
        deadline = asyncio.get_running_loop().time() + seconds
        while (remaining := deadline - asyncio.get_running_loop().time()) > 0:
            if self.opened.channel.is_closed:
                raise BrokerLost("the broker closed the channel")
            if self.stop.is_set():
                raise _Interrupted
            self._changed.clear()
            await self._wait_for_change(remaining)


class _Interrupted(Exception):
    """The consumer stops while messages cannot be stored. The broker delivers them again."""
