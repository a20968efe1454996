"""`ratesgraph consume` as a process, and what it stored."""

import asyncio
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.pool import INGEST, connect
from tests.support.commands.processes import COMMAND, environment
from tests.support.waiting import eventually

READY = "Consuming the queue"
SECONDS = 60
"""Deadline of what a consumer does: it starts in a second on an idle machine."""


class Consumer:
    """Running process of the command, with its output so far."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self.output = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line

    @property
    def log(self) -> str:
        """Return the log lines."""
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until output or log contain the text as often as that."""
        eventually(lambda: (self.output + self.log).count(text) >= count, f"{text!r} is missing", SECONDS)

    def stop(self) -> str:
        """Send SIGTERM, wait for the end, and return the output. The exit code must be 0."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(SECONDS) == 0, self.log
        self._reader.join()
        return self.output

    def close(self) -> None:
        """Kill the process if it still runs."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def running_consumer(
    database_url: str, amqp_url: str, queue: str, log: Path, *options: str, **settings: str
) -> Iterator[Consumer]:
    """Run a consumer and wait until it consumes. Its URL comes from the environment."""
    variables = {**environment(database_url), "RATESGRAPH_AMQP_URL": amqp_url, **settings}
    command = [str(COMMAND), "consume", "--queue", queue, *options]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=file, text=True)
    consumer = Consumer(process, log)
    try:
        consumer.wait_for(READY)
        yield consumer
    finally:
        consumer.close()


def stored_ids(database_url: str) -> list[str]:
    """Return the IDs of the stored messages, sorted."""

    async def select() -> list[str]:
        async with connect(database_url, INGEST) as connection:
            cursor = await connection.execute(b"SELECT message_id FROM message_keys ORDER BY message_id")
            return [row[0] for row in await cursor.fetchall()]

    return asyncio.run(select())


def wait_until_stored(database_url: str, count: int) -> None:
    """Wait until that many messages are stored."""
    eventually(lambda: len(stored_ids(database_url)) >= count, f"{count} messages are not stored", SECONDS)
