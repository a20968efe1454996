"""Admission of operations: the total cost in execution is bounded, in the order of arrival."""

import asyncio

import pytest

from graph.admission import CostBudget, Turnstile, WorkQueue

pytestmark = pytest.mark.anyio


class Query:
    """Query that runs until the test ends it."""

    def __init__(self, budget: CostBudget, cost: int) -> None:
        self.started, self.ended = asyncio.Event(), asyncio.Event()
        self.cancelled_at_end: Query | None = None
        self.task = asyncio.create_task(budget.run(self._work(), cost))

    async def _work(self) -> None:
        self.started.set()
        await self.ended.wait()
        if self.cancelled_at_end is not None:
            # Runs after the next query was admitted, and before it notices.
            asyncio.get_running_loop().call_soon(self.cancelled_at_end.task.cancel)

    async def end(self) -> None:
        """End the query."""
        self.ended.set()
        await self.task


async def run_ready_tasks() -> None:
    """Let all ready tasks run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_cost_budget_admits_queries_up_to_its_total_in_order() -> None:
    budget = CostBudget(10)
    first, second, large, small = (Query(budget, cost) for cost in (6, 4, 10, 1))
    await run_ready_tasks()
    assert [query.started.is_set() for query in (first, second, large, small)] == [True, True, False, False]
    await first.end()
    await run_ready_tasks()
    # The small query would fit, but the large one came first.
    assert not small.started.is_set()
    await second.end()
    await run_ready_tasks()
    assert (large.started.is_set(), small.started.is_set()) == (True, False)
    await large.end()
    await small.end()


async def test_cost_budget_is_shared_by_holders_and_queries() -> None:
    budget = CostBudget(10)
    await budget.acquire(10)
    query = Query(budget, 1)
    holder = asyncio.create_task(budget.acquire(10))
    await run_ready_tasks()
    assert not query.started.is_set()
    budget.release(10)
    await run_ready_tasks()
    assert (query.started.is_set(), holder.done()) == (True, False)
    await query.end()
    await holder


@pytest.mark.parametrize("is_admitted", [True, False])
async def test_cost_budget_is_not_lost_by_cancelled_queries(is_admitted: bool) -> None:
    budget = CostBudget(10)
    first, waiting, last = Query(budget, 10), Query(budget, 10), Query(budget, 10)
    await run_ready_tasks()
    if is_admitted:
        first.cancelled_at_end = waiting
    else:
        waiting.task.cancel()
    await first.end()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert not waiting.started.is_set()
    await last.end()


async def test_cost_budget_is_freed_by_failed_queries() -> None:
    async def fail() -> None:
        raise ValueError("failed")

    budget = CostBudget(1)
    for _ in range(2):
        with pytest.raises(ValueError, match="failed"):
            await budget.run(fail(), 1)


async def test_turnstile_lets_one_task_pass_per_iteration() -> None:
    turnstile, passed = Turnstile(), list[int]()

    async def pass_through(number: int) -> None:
        await turnstile.wait()
        passed.append(number)

    tasks = [asyncio.create_task(pass_through(number)) for number in range(5)]
    tasks[1].cancel()
    counts = set[int]()
    while not all(task.done() for task in tasks):
        before = len(passed)
        await asyncio.sleep(0)
        counts.add(len(passed) - before)
    assert passed == [0, 2, 3, 4]
    assert counts <= {0, 1}


async def test_work_queue_bounds_the_work_of_an_iteration_and_keeps_the_order() -> None:
    queue, started = WorkQueue(10), list[int]()

    async def work(amount: int) -> None:
        if not queue.try_start(amount):
            await queue.wait(amount)
        started.append(amount)

    amounts = [6, 4, 5, 3, 25, 1, 9, 9, 2]
    tasks = [asyncio.create_task(work(amount)) for amount in amounts]
    tasks[3].cancel()
    done = list[list[int]]()
    while not all(task.done() for task in tasks):
        before = len(started)
        await asyncio.sleep(0)
        done.append(started[before:])
    assert [part for part in done if part] == [[6, 4], [5], [25], [1, 9], [9], [2]]
    assert queue.try_start(10)
