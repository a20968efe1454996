"""Connection to RabbitMQ, and the queue with its dead-letter exchange."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    IncompatibleProtocolError,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from server.amqp.errors import BrokerError

CONNECT_SECONDS = 10.0
"""Timeout of opening a connection, and of each operation on the queue."""
DELIVERY_LIMIT = 5
"""Number of redeliveries of an unacknowledged message, after which the broker dead-letters it (x-delivery-limit)."""
CONNECTION_ERRORS = (AMQPError, OSError, TimeoutError, asyncio.InvalidStateError, RuntimeError)
"""Errors of an operation on a lost connection.

The library raises RuntimeError for a closed channel.
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Queue of a broker.

    Attributes:
        declare: Whether to declare the queue. Otherwise the queue and its dead-letter exchange must exist.
    """

    url: str
    queue: str
    prefetch: int
    declare: bool = True

    @property
    def dead_letter_name(self) -> str:
        """Name of the dead-letter exchange, and of the queue that is bound to it."""
        return f"{self.queue}.dead"


@dataclass(frozen=True, slots=True)
class OpenQueue:
    """Open channel, its queue, and the dead-letter exchange."""

    channel: AbstractChannel
    queue: AbstractQueue
    dead_letters: AbstractExchange


def parse_amqp_url(text: str) -> SplitResult:
    """Return the URL. Raise BrokerError (BAD_AMQP_URL); the message does not quote the URL."""
    with suppress(ValueError):
        url = urlsplit(text)
        if url.scheme in {"amqp", "amqps"} and url.hostname and url.port != 0:
            return url
    message = "the URL of the broker must be amqp://user:password@host:5672/vhost, or amqps://…"
    raise BrokerError("BAD_AMQP_URL", message)


@asynccontextmanager
async def open_queue(endpoint: Endpoint, prefetch: int) -> AsyncIterator[OpenQueue]:
    """Connect to the broker, declare the queue, and close the connection at the end.

    Raise BrokerError.
    """
    url = parse_amqp_url(endpoint.url)
    address = f"{url.hostname}:{url.port or (5671 if url.scheme == 'amqps' else 5672)}"
    try:
        connection = await aio_pika.connect(
            endpoint.url,
            timeout=CONNECT_SECONDS,
            client_properties={"connection_name": f"ratesgraph consume {endpoint.queue}"},
        )
    except (AuthenticationError, ProbableAuthenticationError, InvalidFrameError) as error:
        # The library reports the refusal of a virtual host as an unexpected frame.
        message = f"the broker at {address} refuses the user, the password or the virtual host of the URL"
        raise BrokerError("BROKER_REFUSED", message) from error
    except (IncompatibleProtocolError, *CONNECTION_ERRORS, ValueError) as error:
        message = f"the broker at {address} cannot be reached ({_name_cause(error)}); is it running?"
        raise BrokerError("BROKER_UNAVAILABLE", message, is_temporary=True) from error
    try:
        channel = connection.channel(on_return_raises=True)
        yield await _open(channel, endpoint, prefetch)
    finally:
        # A broker that does not respond must not delay the shutdown.
        await asyncio.wait([asyncio.ensure_future(_close(connection))], timeout=CONNECT_SECONDS)


async def _close(connection: aio_pika.abc.AbstractConnection) -> None:
    try:
        await connection.close()
    except CONNECTION_ERRORS:
        return


def _name_cause(error: BaseException) -> str:
    """Return the reason of the operating system, or the type of the error.

    Its message may quote the URL.
    """
    number = next((each.errno for each in (error, error.__cause__) if isinstance(each, OSError) and each.errno), None)
    return type(error).__name__ if number is None or number < 0 else os.strerror(number)


async def _open(channel: AbstractChannel, endpoint: Endpoint, prefetch: int) -> OpenQueue:
    """Open the channel with the queue.

    Raise BrokerError (QUEUE_MISMATCH, QUEUE_REFUSED, QUEUE_NOT_FOUND).
    """
    name, dead = endpoint.queue, endpoint.dead_letter_name
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await channel.initialize()
            await channel.set_qos(prefetch_count=prefetch)
            if not endpoint.declare:
                exchange = await channel.get_exchange(dead)
                return OpenQueue(channel, await channel.get_queue(name), exchange)
            # The queue comes first: if it exists with other arguments, nothing is declared.
            queue = await channel.declare_queue(name, durable=True, arguments=_arguments(dead))
            exchange = await channel.declare_exchange(dead, aio_pika.ExchangeType.FANOUT, durable=True)
            dead_queue = await channel.declare_queue(dead, durable=True, arguments={"x-queue-type": "quorum"})
            await dead_queue.bind(exchange)
            return OpenQueue(channel, queue, exchange)
    except ChannelPreconditionFailed as error:
        message = (
            f"the queue {name!r} or its dead letters {dead!r} exist with other arguments: {_quote(error)}."
            " Delete or rename the existing one, or use it as it is with --no-declare"
        )
        raise BrokerError("QUEUE_MISMATCH", message) from error
    except ChannelNotFoundEntity as error:
        message = f"{_quote(error)}. Create it, or leave out --no-declare"
        raise BrokerError("QUEUE_NOT_FOUND", message) from error
    except ChannelClosed as error:
        raise BrokerError("QUEUE_REFUSED", f"the broker refuses the queue {name!r}: {_quote(error)}") from error
    except CONNECTION_ERRORS as error:
        message = f"the broker did not open the queue {name!r} ({_name_cause(error)})"
        raise BrokerError("BROKER_UNAVAILABLE", message, is_temporary=True) from error


def _arguments(dead_letter_exchange: str) -> dict[str, Any]:
    """Return the arguments of the queue.

    At-least-once dead-lettering: the broker removes a message only after the dead-letter exchange has confirmed it. This
    strategy requires the overflow policy.
    """
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": dead_letter_exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _quote(error: Exception) -> str:
    """Return the reply text of the broker, which names the queue and the argument."""
    return str(error.args[-1] if error.args else error).strip().rstrip(".")
