"""Merge of consecutive messages of a queue, which are stored as one batch."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from aio_pika.abc import AbstractIncomingMessage

from domain.batches import Rejection
from resolvers.uploads.messages import MESSAGE_ID_REUSED, MessageLimits, PriceMessage, parse_message

MAX_MERGED_BYTES = 4 << 20
"""Maximum size of the bodies in one batch: that of one part of a stored payload, which a worker holds in memory."""


@dataclass(slots=True)
class Merge:
    """Messages in the order of their delivery, divided into messages to store and refused ones.

    Attributes:
        max_items: Number of items at which the merge is full. A message with more items is stored alone.
        last: The last message of the merge. Acknowledging it acknowledges all before it.
    """

    limits: MessageLimits
    max_items: int
    stored: dict[str, PriceMessage] = field(default_factory=dict)
    refused: list[tuple[AbstractIncomingMessage, Rejection]] = field(default_factory=list)
    last: AbstractIncomingMessage | None = None
    duplicates: int = 0
    _deliveries: dict[str, AbstractIncomingMessage] = field(default_factory=dict)
    _count: int = 0
    _items: int = 0
    _bytes: int = 0
    _price_days: int = 0
    _lane_months: int = 0

    def __len__(self) -> int:
        """Return the number of messages, including refused and repeated ones."""
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether no further message fits."""
        return self._items >= self.max_items or self._bytes >= MAX_MERGED_BYTES

    def add(self, delivery: AbstractIncomingMessage) -> bool:
        """Add the next message of the queue.

        Return False, and change nothing, if it belongs to the next batch.

        The limits of a batch apply to the sum of its messages. A message within them must not be refused because of other
        messages.
        """
        message = parse_message(
            delivery.body, delivery.message_id, delivery.content_type, delivery.content_encoding, self.limits
        )
        if isinstance(message, Rejection):
            self.refused.append((delivery, message))
        elif (first := self.stored.get(message.message_id)) is not None:
            if first.digest == message.digest:
                self.duplicates += 1
            else:
                self.refused.append((delivery, MESSAGE_ID_REUSED))
        elif self.stored and not self._has_room(message):
            return False
        else:
            self._store(message, delivery)
        self.last = delivery
        self._count += 1
        return True

    def _has_room(self, message: PriceMessage) -> bool:
        limits = self.limits.batch
        return (
            self._items + message.item_count <= self.max_items
            and self._bytes + len(message.data) <= MAX_MERGED_BYTES
            and self._price_days + message.price_days <= limits.max_price_days
            and self._lane_months + message.lane_months <= limits.max_lane_months
        )

    def _store(self, message: PriceMessage, delivery: AbstractIncomingMessage) -> None:
        self.stored[message.message_id] = message
        self._deliveries[message.message_id] = delivery
        self._items += message.item_count
        self._bytes += len(message.data)
        self._price_days += message.price_days
        self._lane_months += message.lane_months

    def find_deliveries(self, messages: list[PriceMessage]) -> Iterator[AbstractIncomingMessage]:
        """Yield the messages as delivered."""
        for message in messages:
            yield self._deliveries[message.message_id]
