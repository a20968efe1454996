"""How much is measured, how often, and how a time is taken."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

from rich.console import Console

WIDTH = 132
"""Columns of a table that goes to a file; a terminal has its own width."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a run. `rounds` and `calls` are how often a batch and a read are repeated; their median counts.

    `seconds` is how long a server is under load in a round.
    """

    divisor: int
    rounds: int
    calls: int
    seconds: int

    def size(self, full: int) -> int:
        """Return what is left of a full run's size."""
        return max(full // self.divisor, 1)


FULL = Scale(divisor=1, rounds=3, calls=200, seconds=2)
QUICK = Scale(divisor=50, rounds=1, calls=4, seconds=1)


def make_console() -> Console:
    """Return the console that the tables go to."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


async def time_call(work: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that the work takes from its start to its end."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def time_median(work: Callable[[], Awaitable[object]], *, rounds: int) -> float:
    """Return the median of the seconds that the work takes in several rounds."""
    return median([await time_call(work) for _ in range(rounds)])
