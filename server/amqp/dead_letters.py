"""Dead letters: copies of refused messages, with the reason in their headers.

A rejected message would reach the dead-letter exchange without a reason. So the consumer publishes a copy, waits for the
broker's confirm, and then acknowledges the message. If the consumer dies in between, the copy is published twice, never lost.
"""

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from domain.batches import Rejection

CODE_HEADER, REASON_HEADER, QUEUE_HEADER = "x-ratesgraph-code", "x-ratesgraph-reason", "x-ratesgraph-queue"
MAX_HEADERS_LENGTH = 8_000
"""Characters of the headers that are copied.

All headers of a message must fit into one frame of the protocol.
"""


async def publish_dead_letter(
    exchange: AbstractExchange, queue: str, message: AbstractIncomingMessage, rejection: Rejection
) -> None:
    """Publish a copy of the message, and wait until the broker has stored it.

    Raise an error of the broker, also if no queue is bound to the exchange.
    """
    copy = aio_pika.Message(
        message.body,
        headers={
            **_copy_headers(message),
            CODE_HEADER: rejection.code,
            REASON_HEADER: rejection.message,
            QUEUE_HEADER: queue,
        },
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        # The library replaces a missing ID by a random one. The header with the code says that it was missing.
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        timestamp=message.timestamp,
        type=message.type,
        app_id=message.app_id,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    await exchange.publish(copy, routing_key=queue, mandatory=True)


def _copy_headers(message: AbstractIncomingMessage) -> dict[str, str | int | bool]:
    """Return the headers with plain values, as long as they are short."""
    plain = {name: value for name, value in message.headers.items() if isinstance(value, str | int | bool)}
    length = sum(len(name) + len(str(value)) for name, value in plain.items())
    return plain if length <= MAX_HEADERS_LENGTH else {}
