"""`ratesgraph worker`: applies batches of the queue."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from db.embedded.disk_space import open_disk_space
from ingest.worker import run_worker
from server.cli.console import open_database, out, read_settings, warn_about_variables
from server.observability import log_config


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


async def _work_until_signal(work: Callable[[asyncio.Event], Awaitable[None]], *, with_parent: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        # The parent process holds the other end of the pipe: however it dies, this end closes.
        loop.add_reader(sys.stdin.fileno(), stop.set)
    await work(stop)
