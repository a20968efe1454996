"""Request coalescing: keys requested during a load share the next one; errors are isolated."""

import asyncio
from collections.abc import Sequence
from itertools import takewhile

import pytest

from db.errors import DatabaseUnavailable, NodeUnavailable, ServerBusy, StatementTimeout, TotalsDamaged
from resolvers.loading.coalescing_loader import CoalescingLoader

pytestmark = pytest.mark.anyio


class BlockingLoader:
    """A loader of doubled numbers that blocks every load until it is released."""

    def __init__(self) -> None:
        self.loads: list[list[int]] = []
        self.fails: dict[int, Exception] = {}
        self._open = asyncio.Semaphore(0)

    async def load(self, numbers: Sequence[int]) -> list[int]:
        self.loads.append([*numbers])
        await self._open.acquire()
        sound = [*takewhile(lambda number: number not in self.fails, numbers)]
        if not sound:
            raise self.fails[numbers[0]]
        return [2 * number for number in sound]

    def release(self, loads: int = 1) -> None:
        for _ in range(loads):
            self._open.release()


async def begin(loader: CoalescingLoader[int, int], *key_groups: Sequence[int]) -> list[asyncio.Task[list[int]]]:
    """Start a task for each group of keys and return when all of them wait."""
    tasks = [asyncio.create_task(loader.load_many(numbers)) for numbers in key_groups]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_coalescing_loader_batches_keys_requested_during_a_load() -> None:
    blocking = BlockingLoader()
    coalescing = CoalescingLoader(blocking.load, max_concurrent=2)
    tasks = await begin(coalescing, [1])
    tasks += await begin(coalescing, [2])
    tasks += await begin(coalescing, [3, 1], [4], [3])
    assert blocking.loads == [[1], [2]]
    blocking.release(3)
    assert await asyncio.gather(*tasks) == [[2], [4], [6, 2], [8], [6]]
    assert blocking.loads == [[1], [2], [3, 1, 4]]


async def test_coalescing_loader_batches_simultaneous_requests_into_the_first_load() -> None:
    blocking = BlockingLoader()
    tasks = await begin(CoalescingLoader(blocking.load, max_concurrent=2), [1], [2], [1, 5])
    blocking.release()
    assert await asyncio.gather(*tasks) == [[2], [4], [2, 10]]
    assert blocking.loads == [[1, 2, 5]]


async def test_coalescing_loader_limits_batch_size_except_for_one_larger_request() -> None:
    blocking = BlockingLoader()
    tasks = await begin(
        CoalescingLoader(blocking.load, max_concurrent=1, max_batch_size=3), [1, 2], [3], [4], [5, 6, 7, 8], [9]
    )
    blocking.release(4)
    await asyncio.gather(*tasks)
    assert blocking.loads == [[1, 2, 3], [4], [5, 6, 7, 8], [9]]


async def test_coalescing_loader_timeout_of_one_request_does_not_fail_the_others() -> None:
    blocking = BlockingLoader()
    blocking.fails = {2: StatementTimeout()}
    tasks = await begin(CoalescingLoader(blocking.load, max_concurrent=1), [1], [2], [3])
    blocking.release(4)
    first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, third) == ([2], [6])
    assert isinstance(second, StatementTimeout)
    assert blocking.loads == [[1, 2, 3], [2, 3], [3]]


async def test_coalescing_loader_fails_remaining_requests_after_two_consecutive_timeouts() -> None:
    blocking = BlockingLoader()
    blocking.fails = dict.fromkeys((1, 2, 3, 4), StatementTimeout())
    tasks = await begin(CoalescingLoader(blocking.load, max_concurrent=1), [5], [1], [2, 5], [3], [4], [6])
    blocking.release(4)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert found[0] == [10]
    assert [type(error) for error in found[1:]] == [StatementTimeout] * 5
    assert blocking.loads == [[5, 1, 2, 3, 4, 6], [1, 2, 3, 4, 6], [2, 3, 4, 6]]


async def test_coalescing_loader_answers_all_requests_that_a_lost_node_does_not_concern() -> None:
    blocking = BlockingLoader()
    blocking.fails = dict.fromkeys((1, 2, 4), NodeUnavailable())
    tasks = await begin(CoalescingLoader(blocking.load, max_concurrent=1), [1], [2], [3], [4], [5])
    blocking.release(5)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one if isinstance(one, list) else type(one) for one in found] == [
        NodeUnavailable,
        NodeUnavailable,
        [6],
        NodeUnavailable,
        [10],
    ]
    assert blocking.loads == [[1, 2, 3, 4, 5], [2], [3], [4, 5], [5]]


@pytest.mark.parametrize("damaged", [{*range(1_000)}, {*range(0, 1_000, 2)}, {0, 500}])
async def test_coalescing_loader_reads_few_keys_in_vain_for_damaged_ones(damaged: set[int]) -> None:
    blocking = BlockingLoader()
    blocking.fails = dict.fromkeys(damaged, TotalsDamaged())
    blocking.release(10_000)
    tasks = await begin(CoalescingLoader(blocking.load, max_concurrent=1), *([number] for number in range(1_000)))
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [number for number, one in enumerate(found) if isinstance(one, TotalsDamaged)] == sorted(damaged)
    assert [one for one in found if isinstance(one, list)] == [[2 * key] for key in range(1_000) if key not in damaged]
    assert sum(map(len, blocking.loads)) < 5_000


async def test_coalescing_loader_fails_all_requests_if_the_database_is_unavailable() -> None:
    blocking = BlockingLoader()
    blocking.fails = {1: DatabaseUnavailable()}
    coalescing = CoalescingLoader(blocking.load, max_concurrent=1)
    tasks = await begin(coalescing, [1], [2])
    blocking.release(2)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in found] == [DatabaseUnavailable] * 2
    assert blocking.loads == [[1, 2]]
    assert await coalescing.load_many([3]) == [6]


async def test_coalescing_loader_skips_keys_of_cancelled_requests() -> None:
    blocking = BlockingLoader()
    coalescing = CoalescingLoader(blocking.load, max_concurrent=1)
    first, second, third = [(await begin(coalescing, [number]))[0] for number in (1, 2, 3)]
    first.cancel()
    second.cancel()
    blocking.release(2)
    assert await third == [6]
    assert blocking.loads == [[1], [3]]
    assert first.cancelled()
    assert second.cancelled()


async def test_coalescing_loader_cancels_a_load_only_after_all_its_requests_are_cancelled() -> None:
    blocking = BlockingLoader()
    coalescing = CoalescingLoader(blocking.load, max_concurrent=1)
    first, second = await begin(coalescing, [1], [2, 1])
    first.cancel()
    [third] = await begin(coalescing, [3])
    assert blocking.loads == [[1, 2]]
    second.cancel()
    await asyncio.sleep(0)
    # Its slot is free for the others.
    blocking.release()
    assert await asyncio.wait_for(third, 5) == [6]
    assert blocking.loads == [[1, 2], [3]]


async def test_coalescing_loader_is_busy_while_the_limit_of_waiting_keys_is_reached() -> None:
    blocking = BlockingLoader()
    loader = CoalescingLoader(blocking.load, max_concurrent=1, max_waiting=3)
    tasks = await begin(loader, [1])
    # A key whose load has begun no longer counts as waiting.
    tasks += await begin(loader, [2, 3])
    loader.check_capacity()
    tasks += await begin(loader, [4])
    with pytest.raises(ServerBusy):
        loader.check_capacity()
    blocking.release()
    await begin(loader)
    loader.check_capacity()
    blocking.release()
    assert await asyncio.gather(*tasks) == [[2], [4, 6], [8]]


@pytest.mark.parametrize("split", [[[1, 2, 3, 4]], [[1], [2], [3], [4]]], ids=["one_load", "four_loads"])
async def test_coalescing_loader_capacity_counts_keys_regardless_of_their_split_into_loads(
    split: list[list[int]],
) -> None:
    blocking = BlockingLoader()
    loader = CoalescingLoader(blocking.load, max_concurrent=1, max_waiting=4)
    first = await begin(loader, [0])
    loader.check_capacity()
    tasks = await begin(loader, *split)
    with pytest.raises(ServerBusy):
        loader.check_capacity()
    blocking.release(2)
    loaded = await asyncio.gather(*first, *tasks)
    assert [number for numbers in loaded for number in numbers] == [0, 2, 4, 6, 8]


async def test_coalescing_loader_with_an_empty_queue_accepts_a_load_above_the_limit() -> None:
    blocking = BlockingLoader()
    loader = CoalescingLoader(blocking.load, max_concurrent=1, max_waiting=2)
    loader.check_capacity()
    tasks = await begin(loader, [1, 2, 3, 4, 5])
    blocking.release()
    assert await asyncio.gather(*tasks) == [[2, 4, 6, 8, 10]]
    loader.check_capacity()


async def test_coalescing_loader_frees_the_capacity_of_cancelled_requests() -> None:
    blocking = BlockingLoader()
    loader = CoalescingLoader(blocking.load, max_concurrent=1, max_waiting=2)
    first, second = await begin(loader, [1], [2])
    [third] = await begin(loader, [3, 4])
    with pytest.raises(ServerBusy):
        loader.check_capacity()
    third.cancel()
    blocking.release()
    assert [await first, await second] == [[2], [4]]
    loader.check_capacity()
    assert blocking.loads == [[1, 2]]


async def test_coalescing_loader_raises_the_configured_overload_error() -> None:
    loader = CoalescingLoader(
        BlockingLoader().load, max_concurrent=1, max_waiting=0, overload_error=DatabaseUnavailable
    )
    with pytest.raises(DatabaseUnavailable):
        loader.check_capacity()


def by_parity(numbers: Sequence[int]) -> list[list[int]]:
    """Return the even and the odd numbers."""
    groups = [[number for number in numbers if number % 2 == parity] for parity in (0, 1)]
    return [group for group in groups if group]


async def test_coalescing_loader_loads_the_groups_of_a_batch_at_the_same_time() -> None:
    blocking = BlockingLoader()
    tasks = await begin(CoalescingLoader(blocking.load, max_concurrent=1, split=by_parity), [1, 2, 3], [4, 6])
    assert blocking.loads == [[2, 4, 6], [1, 3]]
    blocking.release(2)
    assert await asyncio.gather(*tasks) == [[2, 4, 6], [8, 12]]


@pytest.mark.parametrize("error", [NodeUnavailable(), StatementTimeout(), DatabaseUnavailable()])
async def test_coalescing_loader_fails_no_key_for_another_group(error: Exception) -> None:
    blocking = BlockingLoader()
    blocking.fails = {1: error, 3: error}
    tasks = await begin(CoalescingLoader(blocking.load, max_concurrent=1, split=by_parity), [1], [2, 4], [3, 2], [8])
    blocking.release(10)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results == [error, [4, 8], error, [16]]


async def test_coalescing_loader_cancels_all_groups_without_a_waiter() -> None:
    blocking = BlockingLoader()
    loader = CoalescingLoader(blocking.load, max_concurrent=1, split=by_parity)
    (task,) = await begin(loader, [1, 2])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (later,) = await begin(loader, [5])
    blocking.release()
    assert await later == [10]
