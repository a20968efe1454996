"""What the run knows while it goes on: what was sent, what was acknowledged, how much has ended. Threads share it."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import psycopg

from tests.chaos.scale import DEADLINE_SECONDS, MAX_BACKLOG
from tests.chaos.uploads import Batch

LOOK_SECONDS = 0.1


class Stuck(Exception):
    """Something that must happen did not happen in time."""


class RunEnded(Exception):
    """Another thread has failed: the run is over."""


class Ledger:
    """Counts under one lock; whoever waits for a condition of it is woken by every change."""

    def __init__(self, batches: int) -> None:
        self.changed = threading.Condition()
        self.over = threading.Event()
        self.sent = 0
        self.troubles = Counter[str]()
        self.acknowledged: dict[str, tuple[int, Batch]] = {}
        self.acknowledged_at: list[float] = []
        self.ended = 0
        self.striking = True
        self._batches = batches
        self._taken = 0

    def take_number(self) -> int | None:
        """Return the number of the next batch to upload, or None when there were enough and nobody is killed any more."""
        self.wait_for(lambda: self._taken - self.ended < MAX_BACKLOG, "room in the queue")
        with self.changed:
            if self._taken >= self._batches and not self.striking:
                return None
            self._taken += 1
            return self._taken

    def note_sent(self, trouble: str | None = None) -> None:
        """Count a request, and what was wrong with its answer."""
        with self.changed:
            self.sent += 1
            if trouble is not None:
                self.troubles[trouble] += 1

    def acknowledge(self, batch: Batch, batch_id: int) -> None:
        """Note that the server has promised to keep the batch. The promise must never change."""
        with self.changed:
            known, _ = self.acknowledged.setdefault(batch.key, (batch_id, batch))
            assert known == batch_id, f"the key {batch.key} was answered with batch {known}, then with {batch_id}"
            self.acknowledged_at.append(time.time())
            self.changed.notify_all()

    def end_strikes(self) -> None:
        """Note that nobody will be killed any more."""
        with self.changed:
            self.striking = False
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds. Raise Stuck when that takes too long, RunEnded when the run has failed."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self.changed:
            while not condition():
                if self.over.is_set():
                    raise RunEnded
                if time.monotonic() > deadline:
                    raise Stuck(f"waited {DEADLINE_SECONDS:.0f} s in vain for {what}")
                self.changed.wait(LOOK_SECONDS)

    def pause(self, seconds: float) -> None:
        """Let some time pass. Raise RunEnded when the run has failed."""
        if self.over.wait(seconds):
            raise RunEnded

    def watch_queue(self, url: str, until: threading.Event) -> None:
        """Keep `ended` up to date; a lost database is looked for again."""
        while not until.is_set():
            try:
                with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
                    while not until.wait(LOOK_SECONDS):
                        row = connection.execute(
                            "SELECT count(*) FROM price_batches WHERE ended_at IS NOT NULL"
                        ).fetchone()
                        with self.changed:
                            self.ended = row[0] if row else 0
                            self.changed.notify_all()
            except psycopg.OperationalError:
                until.wait(LOOK_SECONDS)
