"""`ratesgraph worker` applies batches; `ratesgraph consume` stores messages as batches."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from db.embedded.disk_space import open_disk_space
from ingest.worker import run_worker
from resolvers.uploads.messages import MessageLimits
from server.cli.console import (
    CommandError,
    counted,
    open_database,
    out,
    print_line,
    read_settings,
    warn_about_variables,
)
from server.observability import log_config

T = TypeVar("T")


def worker(*, concurrency: int, until_empty: bool, with_parent: bool, data_dir: Path | None) -> None:
    """Apply batches until SIGTERM or Ctrl-C, then finish or release the running ones.

    With `until_empty` stop by itself once no batch is queued or running.
    """
    settings = read_settings(data_dir=data_dir)
    log_config.configure_logging(settings)
    with open_database(settings, check=None) as url:
        if not with_parent:
            warn_about_variables()
            end = "ends when the queue is empty" if until_empty else "press Ctrl-C to stop"
            out.print(f"Worker started with concurrency {concurrency} ({end}).")
        disk_space = open_disk_space(settings.data_dir, url, settings.min_free_bytes)
        work = partial(
            run_worker,
            url,
            concurrency=concurrency,
            until_empty=until_empty,
            payload_days=settings.payload_days,
            limits=settings.batch_limits(),
            disk_space=disk_space,
        )
        asyncio.run(_work_until_signal(work, with_parent=with_parent))


def consume(
    *,
    url: str | None,
    queue: str,
    owner: str | None,
    max_items: int,
    max_seconds: float,
    prefetch: int,
    declare: bool,
    data_dir: Path | None,
) -> None:
    """Store messages until SIGTERM or Ctrl-C, then store those already received.

    Raise CommandError with a code.
    """
    settings = read_settings(data_dir=data_dir, amqp_url=None if url is None else SecretStr(url))
    if settings.amqp_url is None:
        raise _error("BAD_AMQP_URL", "give the URL of the broker as an argument or in RATESGRAPH_AMQP_URL")
    if find_spec("aio_pika") is None:
        raise _error("MISSING_PACKAGE", "consuming needs the extra `amqp`: pip install 'ratesgraph[amqp]'")
    # The library is an extra, and only this command needs it.
    broker, consumer, session, errors = map(
        import_module, ("server.amqp.broker", "server.amqp.consumer", "server.amqp.session", "server.amqp.errors")
    )
    endpoint = broker.Endpoint(settings.amqp_url.get_secret_value(), queue, prefetch, declare)
    limits = MessageLimits(settings.max_message_bytes, settings.max_items, settings.batch_limits())
    rules = session.MergeRules(limits, max_items, max_seconds)
    try:
        broker.parse_amqp_url(endpoint.url)
        with open_database(settings, check=None) as database_url:
            warn_about_variables()
            work = partial(
                consumer.run_consumer,
                database_url,
                endpoint,
                rules,
                on_ready=lambda: print_line(f"Consuming the queue {queue} (press Ctrl-C to stop)."),
                owner=owner,
                key_days=settings.message_key_days,
                disk_space=open_disk_space(settings.data_dir, database_url, settings.min_free_bytes),
            )
            counts = asyncio.run(_work_until_signal(work, with_parent=False))
    except errors.BrokerError as error:
        raise CommandError(str(error)) from error
    print_line(
        f"Received {counted(counts.received, 'message')}: {counts.stored:,} stored in"
        f" {counts.batches:,} {'batch' if counts.batches == 1 else 'batches'},"
        f" {counts.dead_lettered:,} dead-lettered, the rest repeated."
    )


def _error(code: str, message: str) -> CommandError:
    return CommandError(f"{code}: {message}")


async def _work_until_signal(work: Callable[[asyncio.Event], Awaitable[T]], *, with_parent: bool) -> T:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        # The parent process holds the other end of the pipe: however it dies, this end closes.
        loop.add_reader(sys.stdin.fileno(), stop.set)
    return await work(stop)
