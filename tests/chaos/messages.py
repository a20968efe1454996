"""Chaos run of messages (`python -m tests.chaos.messages`): consumers are killed.

Each message has one item with a price of its own, so every lost and every doubled one is found in the prices.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg
from rich.console import Console
from rich.table import Table

from db.embedded.supervisor import embedded_server
from db.migrate import migrate
from tests.chaos.supervised_process import SupervisedProcess
from tests.support.batches.uploads import create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import environment
from tests.support.fixtures.server import running_worker
from tests.support.messages.consumers import READY
from tests.support.messages.rabbitmq import RabbitServer, count_ready, item, publish, running_rabbitmq
from tests.support.waiting import eventually

QUEUE = "chaos"
OPTIONS = ["--max-items=50", "--max-seconds=0.1", "--prefetch=100"]
"""Small batches, so that a kill meets one that is being stored."""
DUPLICATES = 0.1
"""Share of messages that are published a second time, at once or later."""
SECONDS = 120


@dataclass(frozen=True, slots=True)
class MessageScale:
    """Size of a run."""

    messages: int
    kills: int
    consumers: int
    seed: int = 1


@dataclass(slots=True)
class MessageFigures:
    """Result of a run; the run was right if `violations` is empty."""

    published: int = 0
    kills: int = 0
    seconds: float = 0.0
    batches: int = 0
    violations: list[str] = field(default_factory=list)


def run_message_chaos(rabbitmq: RabbitServer, database_url: str, logs: Path, scale: MessageScale) -> MessageFigures:
    """Publish portions of messages, kill a consumer amid each, and compare the prices."""
    create_locations(database_url)
    random, figures, started = Random(scale.seed), MessageFigures(), time.monotonic()  # noqa: S311
    names = [f"m{number}" for number in range(scale.messages)]
    portion = -(-scale.messages // (scale.kills + 1))
    with running_worker(database_url), _running_consumers(rabbitmq, database_url, logs, scale.consumers) as consumers:
        for start in range(0, scale.messages, portion):
            known, fresh = names[: start + portion], names[start : start + portion]
            chosen = fresh + random.sample(known, round(len(fresh) * DUPLICATES))
            random.shuffle(chosen)
            asyncio.run(_publish(rabbitmq, chosen))
            figures.published += len(chosen)
            due = start + random.randrange(len(fresh) // 4, len(fresh))
            eventually(lambda due=due: _count(database_url) >= due, f"{due} messages are not stored", SECONDS)  # type: ignore[misc]
            if figures.kills < scale.kills:
                victim = random.choice(consumers)
                eventually(victim.kill, "the consumer does not run", SECONDS)
                figures.kills += 1
        eventually(lambda: _count(database_url) >= scale.messages, "messages are lost", SECONDS)
        eventually(lambda: not _select(database_url, WAITING), "batches are not applied", SECONDS)
    figures.seconds = time.monotonic() - started
    figures.batches = len(_select(database_url, "SELECT id FROM price_batches"))
    figures.violations = [*_compare(database_url, names), *asyncio.run(_check_queues(rabbitmq))]
    ratesgraph_in_process(database_url, "verify")
    return figures


WAITING = "SELECT id FROM price_batches WHERE status <> 'APPLIED'"


@contextmanager
def _running_consumers(
    rabbitmq: RabbitServer, database_url: str, logs: Path, count: int
) -> Iterator[list[SupervisedProcess]]:
    variables = {**environment(database_url), "RATESGRAPH_AMQP_URL": rabbitmq.url()}
    command = ["consume", "--queue", QUEUE, *OPTIONS]
    consumers = [SupervisedProcess(command, variables, READY, logs / f"{number}.log") for number in range(count)]
    for consumer in consumers:
        consumer.start()
    try:
        eventually(lambda: all(consumer.ready.is_set() for consumer in consumers), "no consumer is ready", SECONDS)
        yield consumers
    finally:
        for consumer in consumers:
            consumer.stop()


def _price(name: str) -> int:
    """Return the price of a message in cents."""
    return int(name[1:]) + 1


async def _publish(rabbitmq: RabbitServer, names: Sequence[str]) -> None:
    async with rabbitmq.channel() as channel:
        await publish(channel, QUEUE, [(name, item(_price(name) / 100)) for name in names])


def _select(database_url: str, query: str) -> list[int]:
    with psycopg.connect(database_url) as connection:
        return [row[0] for row in connection.execute(query.encode()).fetchall()]


def _count(database_url: str) -> int:
    return _select(database_url, "SELECT count(*) FROM message_keys")[0]


def _compare(database_url: str, names: Sequence[str]) -> Iterator[str]:
    """Yield what differs between the prices and the messages."""
    prices, expected = _select(database_url, "SELECT usd_cents FROM prices"), {_price(name) for name in names}
    if lost := expected - set(prices):
        yield f"{len(lost)} messages are lost"
    if (doubled := len(prices) - len(set(prices))) > 0:
        yield f"{doubled} messages are applied twice"


async def _check_queues(rabbitmq: RabbitServer) -> list[str]:
    """Return which queues hold messages after the end of the consumers."""
    async with rabbitmq.channel() as channel:
        counts = {name: await count_ready(channel, name) for name in (QUEUE, f"{QUEUE}.dead")}
    return [f"{count} messages are left in {name}" for name, count in counts.items() if count]


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print the figures; return 1 if a message was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.messages", description="Kill consumers of a queue.")
    parser.add_argument("--messages", type=int, default=30_000, help="messages to publish (%(default)s)")
    parser.add_argument("--kills", type=int, default=40, help="SIGKILLs of consumers (%(default)s)")
    parser.add_argument("--consumers", type=int, default=2, help="consumer processes (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of duplicates and kills (%(default)s)")
    options = parser.parse_args(argv)
    scale = MessageScale(options.messages, options.kills, options.consumers, options.seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_server(Path(folder) / "data") as url,
        running_rabbitmq() as rabbitmq,
    ):
        migrate(url)
        figures = run_message_chaos(rabbitmq, url, Path(folder), scale)
    table = Table("measurement", "result", title="Messages under kills", title_justify="left")
    table.add_row("messages, with duplicates", f"{scale.messages:,}, {figures.published:,}")
    table.add_row("SIGKILLs of consumers", str(figures.kills))
    table.add_row("batches", f"{figures.batches:,}")
    table.add_row("duration", f"{figures.seconds:.0f} s")
    table.add_row("lost or doubled", "; ".join(figures.violations) or "none")
    Console(highlight=False).print(table)
    return 1 if figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
