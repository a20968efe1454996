"""Shared state of a running chaos test: requests sent, acknowledged batches, ended batches."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import psycopg

from tests.chaos.scale import DEADLINE_SECONDS, MAX_BACKLOG
from tests.chaos.uploads import Batch

POLL_SECONDS = 0.1


class DeadlineExceeded(Exception):
    """An expected event did not happen in time."""


class RunEnded(Exception):
    """Another thread has failed, so the run is over."""


class Ledger:
    """Counters under one condition variable: each change wakes the threads that wait for it."""

    def __init__(self, batches: int) -> None:
        self.changed = threading.Condition()
        self.over = threading.Event()
        self.sent = 0
        self.transient_failures = Counter[str]()
        self.acknowledged: dict[str, tuple[int, Batch]] = {}
        self.acknowledged_at: list[float] = []
        self.ended = 0
        self.striking = True
        self._batches = batches
        self._last_number = 0

    def next_number(self) -> int | None:
        """Return the number of the next batch, or None after all batches and all strikes."""
        self.wait_for(lambda: self._last_number - self.ended < MAX_BACKLOG, "room in the queue")
        with self.changed:
            if self._last_number >= self._batches and not self.striking:
                return None
            self._last_number += 1
            return self._last_number

    def count_request(self, failure: str | None = None) -> None:
        """Count a request and its transient failure, if any."""
        with self.changed:
            self.sent += 1
            if failure is not None:
                self.transient_failures[failure] += 1

    def acknowledge(self, batch: Batch, batch_id: int) -> None:
        """Record the acknowledgement of a batch. A later one must name the same batch."""
        with self.changed:
            known, _ = self.acknowledged.setdefault(batch.key, (batch_id, batch))
            assert known == batch_id, f"the key {batch.key} was answered with batch {known}, then with {batch_id}"
            self.acknowledged_at.append(time.time())
            self.changed.notify_all()

    def end_strikes(self) -> None:
        """Record that there are no more strikes."""
        with self.changed:
            self.striking = False
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition is met.

        Raise DeadlineExceeded after the deadline, and RunEnded when the run has failed.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self.changed:
            while not condition():
                if self.over.is_set():
                    raise RunEnded
                if time.monotonic() > deadline:
                    raise DeadlineExceeded(f"timeout after {DEADLINE_SECONDS:.0f} s while waiting for {what}")
                self.changed.wait(POLL_SECONDS)

    def pause(self, seconds: float) -> None:
        """Pause for a while. Raise RunEnded when the run has failed."""
        if self.over.wait(seconds):
            raise RunEnded

    def watch_queue(self, url: str, until: threading.Event) -> None:
        """Update `ended` continuously; reconnect to a lost database."""
        while not until.is_set():
            try:
                with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
                    while not until.wait(POLL_SECONDS):
                        row = connection.execute(
                            "SELECT count(*) FROM price_batches WHERE ended_at IS NOT NULL"
                        ).fetchone()
                        with self.changed:
                            self.ended = row[0] if row else 0
                            self.changed.notify_all()
            except psycopg.OperationalError:
                until.wait(POLL_SECONDS)
