"""`ratesgraph worker`: applies batches of the queue."""

import asyncio
import signal
import sys
from pathlib import Path

from ingest.worker import run_worker
from server.cli.console import open_database, out, read_settings
from server.config.settings import Settings
from server.observability import log_config


def worker(*, concurrency: int, with_parent: bool, data_dir: Path | None) -> None:
    """Apply batches until SIGTERM or Ctrl-C, then finish or release the running ones."""
    settings = read_settings(data_dir=data_dir)
    log_config.configure_logging(settings)
    with open_database(settings) as url:
        if not with_parent:
            out.print(f"Applying batches, {concurrency} at once (press Ctrl-C to stop).")
        asyncio.run(_work_until_signal(url, settings, concurrency=concurrency, with_parent=with_parent))


async def _work_until_signal(url: str, settings: Settings, *, concurrency: int, with_parent: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        # The parent process holds the other end of the pipe: however it dies, this end closes.
        loop.add_reader(sys.stdin.fileno(), stop.set)
    await run_worker(
        url, stop, concurrency=concurrency, payload_days=settings.payload_days, limits=settings.batch_limits()
    )
