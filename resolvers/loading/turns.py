"""Long computations in turns with other tasks of the event loop."""

import asyncio

DAYS_PER_TURN = 5_000
"""Days of totals that are averaged, summed or completed in one iteration of the event loop: 1 to 5 ms."""


class Turns:
    """Division of a computation into iterations of the event loop.

    Each has at most `quantum` of work, or a single larger piece.
    """

    def __init__(self, quantum: int) -> None:
        self._quantum = quantum
        self._used = 0

    async def take(self, work: int) -> None:
        """Count the next piece of work.

        Let other tasks run before a piece that does not fit into this iteration.
        """
        if self._used and self._used + work > self._quantum:
            await asyncio.sleep(0)
            self._used = 0
        self._used += work
