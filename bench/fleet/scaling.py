"""Scaling rules of workers, decided as KEDA and the Horizontal Pod Autoscaler do."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

POLL_SECONDS = 15.0
"""Sync period of the Horizontal Pod Autoscaler."""
STABILIZATION_SECONDS = 300.0
"""Stabilization window for scaling down: the highest recommendation within this time counts."""
WORK_PER_WORKER = 15.0
"""Target: seconds of work that wait for each worker."""
BATCHES_PER_WORKER = 4
"""Target of the rule that counts batches."""


@dataclass(frozen=True, slots=True)
class Queue:
    """State of the queue.

    Attributes:
        batches: Number of queued and running batches.
        work: Seconds that one worker needs for them.
    """

    batches: int
    work: float


def by_work(queue: Queue) -> int:
    """Return the number of workers for the seconds of work that wait."""
    return math.ceil(queue.work / WORK_PER_WORKER)


def by_count(queue: Queue) -> int:
    """Return the number of workers for the number of batches."""
    return math.ceil(queue.batches / BATCHES_PER_WORKER)


@dataclass(slots=True)
class Autoscaler:
    """Number of workers between two bounds, by a rule, with a delay before it shrinks."""

    rule: Callable[[Queue], int]
    minimum: int
    maximum: int
    _wanted: deque[tuple[float, int]] = field(default_factory=deque)

    def decide(self, time: float, queue: Queue) -> int:
        """Return the number of workers for the queue at this time, in seconds."""
        self._wanted.append((time, min(max(self.rule(queue), self.minimum), self.maximum)))
        while self._wanted[0][0] < time - STABILIZATION_SECONDS:
            self._wanted.popleft()
        return max(count for _, count in self._wanted)
