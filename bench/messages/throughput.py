"""`bench messages`: messages per second, from a queue into applied prices.

RATESGRAPH_AMQP_URL names the broker. The consumer and one worker are real processes.
"""

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import date

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from bench.data.database import open_world, read_figure
from bench.data.world import SEED, Shape, make_csv
from bench.processes import running_consumer, running_workers
from bench.scale import Scale
from db.connection import Connection

DATABASE = "bench_messages"
FIRST_DAY = date(2025, 6, 1)
MESSAGES = 10_000
PUBLISH_AT_ONCE = 1_000
POLL_SECONDS = 0.02
STORED = "SELECT count(*) FROM message_keys"
APPLIED = "SELECT count(*) FROM prices"


async def bench_messages(console: Console, server_url: str, scale: Scale) -> None:
    """Measure messages of one item while they are published, and from a full queue."""
    url = os.environ.get("RATESGRAPH_AMQP_URL")
    if not url:
        sys.exit("Set RATESGRAPH_AMQP_URL to a broker for this benchmark.")
    count = scale.size(MESSAGES)
    table = Table("measurement", "result", "goal", title=f"{count:,} messages of one item", title_justify="left")
    async with open_world(server_url, DATABASE) as connection, await aio_pika.connect(url) as broker:
        environment = {**os.environ, "DATABASE_URL": make_conninfo(server_url, dbname=DATABASE)}
        channel = await broker.channel()
        for is_full in (False, True):
            await _measure(console, table, connection, channel, environment, count, is_full=is_full)
    console.print(table)


async def _measure(
    console: Console,
    table: Table,
    connection: Connection,
    channel: AbstractChannel,
    environment: Mapping[str, str],
    count: int,
    *,
    is_full: bool,
) -> None:
    """Add the rates of one run.

    With `is_full` the consumer starts after the last message was published.
    """
    queue = f"bench-{uuid.uuid4().hex[:8]}"
    bodies = _make_bodies(count)
    await connection.execute(b"TRUNCATE prices, price_totals, price_sketches, stale_sketches, price_batches CASCADE")
    with console.status("messages"), running_workers(environment, 1):
        if is_full:
            with running_consumer(environment, queue):
                pass
            await _publish(channel, queue, bodies)
        start = time.perf_counter()
        with running_consumer(environment, queue):
            if not is_full:
                start = time.perf_counter()
                await _publish(channel, queue, bodies)
                table.add_row("published with confirms", f"{count / (time.perf_counter() - start):,.0f}/s", "")
            stored = await _wait_for(connection, STORED, count)
            applied = await _wait_for(connection, APPLIED, count)
    batches = await read_figure(connection, "SELECT count(*) FROM price_batches")
    name = "from a full queue, with the start of the consumer" if is_full else "while published"
    table.add_row(f"stored, {name}", f"{count / (stored - start):,.0f}/s", "")
    table.add_row(f"applied, {name}, {batches} batches", f"{count / (applied - start):,.0f}/s", "1,000/s")
    for each in (queue, f"{queue}.dead"):
        await channel.queue_delete(each)
    await channel.exchange_delete(f"{queue}.dead")


def _make_bodies(count: int) -> list[bytes]:
    """Return one-day items on random lanes as JSON."""
    _, *lines = make_csv(Shape(count, 1, FIRST_DAY, 30), seed=SEED).decode().splitlines()
    keys = ("origin", "destination", "dateFrom", "price")
    return [orjson.dumps(dict(zip(keys, line.split(","), strict=False))) for line in lines]


async def _publish(channel: AbstractChannel, queue: str, bodies: list[bytes]) -> None:
    for start in range(0, len(bodies), PUBLISH_AT_ONCE):
        await asyncio.gather(
            *(
                channel.default_exchange.publish(
                    aio_pika.Message(body, message_id=str(start + number), delivery_mode=2), routing_key=queue
                )
                for number, body in enumerate(bodies[start : start + PUBLISH_AT_ONCE])
            )
        )


async def _wait_for(connection: Connection, query: str, count: int) -> float:
    """Wait until the query returns the count, and return the time of `time.perf_counter`."""
    # The count is in the database, for which no event exists.
    while await read_figure(connection, query) < count:  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    return time.perf_counter()
