"""Admission of operations, so that a burst of expensive ones does not occupy the event loop.

All tasks that are ready run before the loop serves its sockets again. Three hundred queries of the maximum cost that arrive
together would keep it busy for twelve seconds, in which no probe is answered.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class CostBudget:
    """Weighted semaphore that bounds the total cost of the queries in execution.

    A query whose cost exceeds the whole budget must not be passed. Waiting queries are admitted in the order of their arrival.
    """

    def __init__(self, total: int) -> None:
        self._available = total
        self._waiting = deque[tuple[int, asyncio.Future[None]]]()

    async def run(self, work: Coroutine[Any, Any, Result], cost: int) -> Result:
        """Return the result of the work, which starts when the budget has room for its cost."""
        if self._waiting or cost > self._available:
            try:
                await self._wait(cost)
            except BaseException:
                work.close()
                raise
        else:
            self._available -= cost
        try:
            return await work
        finally:
            self.release(cost)

    async def acquire(self, cost: int) -> None:
        """Wait until the budget has room for the cost, and hold it until `release`."""
        if self._waiting or cost > self._available:
            await self._wait(cost)
        else:
            self._available -= cost

    def release(self, cost: int) -> None:
        """Return the cost to the budget."""
        self._available += cost
        self._admit_waiting()

    async def _wait(self, cost: int) -> None:
        admission = asyncio.get_running_loop().create_future()
        self._waiting.append((cost, admission))
        try:
            await admission
        except BaseException:
            if not admission.cancelled():
                # It was admitted and cancelled in the same iteration of the event loop.
                self._available += cost
            self._admit_waiting()
            raise

    def _admit_waiting(self) -> None:
        while self._waiting:
            cost, admission = self._waiting[0]
            if not admission.cancelled():
                if cost > self._available:
                    return
                self._available -= cost
                admission.set_result(None)
            self._waiting.popleft()


class WorkQueue:
    """Queue that bounds the work of all tasks in one iteration of the event loop.

    Work that does not fit is admitted in the order of its arrival, up to `quantum` per iteration, or a single larger piece.
    """

    def __init__(self, quantum: int) -> None:
        self.quantum = quantum
        self._used = 0
        self._waiting = deque[tuple[int, asyncio.Future[None]]]()
        self._loop: asyncio.AbstractEventLoop | None = None

    def try_start(self, work: int) -> bool:
        """Return whether the work may start in this iteration, and count it if so."""
        if asyncio.get_running_loop() is not self._loop:
            self._reset()
        if self._waiting or self._used + work > self.quantum:
            return False
        self._count(work)
        return True

    async def wait(self, work: int) -> None:
        """Wait until the work may start."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._reset()
        turn = loop.create_future()
        self._waiting.append((work, turn))
        if len(self._waiting) == 1 and not self._used:
            loop.call_soon(self._admit_waiting)
        await turn

    def _reset(self) -> None:
        """Forget the work of a closed loop."""
        self._loop = asyncio.get_running_loop()
        self._used = 0
        self._waiting.clear()

    def _count(self, work: int) -> None:
        """Count the work. The first one of an iteration schedules the next."""
        if not self._used:
            asyncio.get_running_loop().call_soon(self._admit_waiting)
        self._used += work

    def _admit_waiting(self) -> None:
        self._used = 0
        while self._waiting:
            work, turn = self._waiting[0]
            if not turn.done():
                if self._used and self._used + work > self.quantum:
                    return
                self._count(work)
                turn.set_result(None)
            self._waiting.popleft()


class Turnstile:
    """Gate that lets one task pass in each iteration of the event loop."""

    def __init__(self) -> None:
        self._waiting = deque[asyncio.Future[None]]()

    async def wait(self) -> None:
        """Wait for the next iteration in which no earlier task passes."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            loop.call_soon(self._pass_next)
        await turn

    def _pass_next(self) -> None:
        turn = self._waiting.popleft()
        if self._waiting:
            self._waiting[0].get_loop().call_soon(self._pass_next)
        if not turn.done():
            turn.set_result(None)
