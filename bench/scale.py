"""Sizes and repetitions of the benchmarks, and the timing helpers."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rich.console import Console

WIDTH = 132
"""Width of tables that are written to a file; a terminal has its own width."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Size of a run.

    `rounds` and `calls` are the repetitions of a batch and of a read; their median counts. `seconds` is the duration of a round
    of load on a server.
    """

    divisor: int
    rounds: int
    calls: int
    seconds: int

    def size(self, full: int) -> int:
        """Return a size of the full run, divided for this scale, at least 1."""
        return max(full // self.divisor, 1)


FULL = Scale(divisor=1, rounds=3, calls=200, seconds=2)
QUICK = Scale(divisor=50, rounds=1, calls=4, seconds=1)


def make_console() -> Console:
    """Return the console that prints the tables."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


async def time_call(work: Callable[[], Awaitable[object]]) -> float:
    """Return the elapsed seconds of the work."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start
