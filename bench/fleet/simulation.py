"""Discrete-event simulation of a queue with a fixed or a scaled number of workers."""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from bench.fleet.load import Batch
from bench.fleet.scaling import POLL_SECONDS, Autoscaler, Queue

START_SECONDS = 20.0
"""Time from the decision to start a worker until it takes its first batch."""
DATABASE_SHARE = 0.5
"""Part of a batch's work that a core of the database does."""
DATABASE_CORES = 8


class _Event(IntEnum):
    # Events at the same time are handled in this order.
    ENDED = 0
    STARTED = 1
    ARRIVED = 2
    POLLED = 3


@dataclass(slots=True)
class Outcome:
    """Result of a simulation.

    Attributes:
        delays: Seconds from the arrival of each batch until it was applied.
        worker_seconds: Time of all workers from their start to their end.
        peak_workers: Largest number of workers at once.
    """

    delays: list[float] = field(default_factory=list)
    worker_seconds: float = 0.0
    peak_workers: int = 0


class Simulation:
    """Queue and workers; `run` plays all batches."""

    def __init__(self, workers: int, autoscaler: Autoscaler | None = None) -> None:
        self._autoscaler = autoscaler
        self._idle = self._running = workers
        self._starting = self._surplus = 0
        self._waiting: deque[Batch] = deque()
        self._work = 0.0
        self._events: list[tuple[float, _Event, float, float]] = []
        self._time = 0.0
        self._outcome = Outcome(peak_workers=workers)

    def run(self, load: Sequence[Batch]) -> Outcome:
        """Play the batches, ordered by arrival, until the last one is applied."""
        self._events = [(batch.arrival, _Event.ARRIVED, batch.arrival, batch.work) for batch in load]
        if self._autoscaler is not None:
            self._events.append((0.0, _Event.POLLED, 0.0, 0.0))
        heapq.heapify(self._events)
        while self._events and len(self._outcome.delays) < len(load):
            time, event, arrival, work = heapq.heappop(self._events)
            self._outcome.worker_seconds += (self._running + self._starting) * (time - self._time)
            self._time = time
            self._handle(event, Batch(arrival, work))
            self._begin_batches()
        return self._outcome

    def _handle(self, event: _Event, batch: Batch) -> None:
        match event:
            case _Event.ARRIVED:
                self._waiting.append(batch)
                self._work += batch.work
            case _Event.ENDED:
                self._outcome.delays.append(self._time - batch.arrival)
                self._work -= batch.work
                if self._surplus:
                    self._surplus -= 1
                    self._running -= 1
                else:
                    self._idle += 1
            case _Event.STARTED:
                self._starting -= 1
                self._running += 1
                self._idle += 1
            case _Event.POLLED:
                self._scale()
                heapq.heappush(self._events, (self._time + POLL_SECONDS, _Event.POLLED, 0.0, 0.0))

    def _begin_batches(self) -> None:
        """Give batches to idle workers. Beyond the cores of the database, all of them slow down."""
        while self._idle and self._waiting:
            batch = self._waiting.popleft()
            self._idle -= 1
            busy = self._running - self._idle
            seconds = batch.work * max(1.0, busy * DATABASE_SHARE / DATABASE_CORES)
            heapq.heappush(self._events, (self._time + seconds, _Event.ENDED, batch.arrival, batch.work))

    def _scale(self) -> None:
        """Start or end workers. A busy worker finishes its batch first."""
        if self._autoscaler is None:
            return
        busy = self._running - self._idle
        queue = Queue(len(self._waiting) + busy, max(self._work, 0.0))
        change = self._autoscaler.decide(self._time, queue) - (self._running - self._surplus + self._starting)
        for _ in range(change):
            if self._surplus:
                self._surplus -= 1
            else:
                self._starting += 1
                heapq.heappush(self._events, (self._time + START_SECONDS, _Event.STARTED, 0.0, 0.0))
        for _ in range(-change):
            if self._idle:
                self._idle -= 1
                self._running -= 1
            elif self._surplus < busy:
                self._surplus += 1
        self._outcome.peak_workers = max(self._outcome.peak_workers, self._running + self._starting)
