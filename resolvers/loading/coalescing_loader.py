"""Request coalescing: reads of concurrent requests share round trips to the database.

A round trip costs several times as much as reading one lane. Keys that arrive while other loads are in progress wait for the
first of them to end, and are then loaded together. An idle server loads at once, and a busy one becomes more efficient.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from db.errors import NodeUnavailable, ServerBusy, StatementTimeout, TotalsDamaged

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
PendingLoad = tuple[Sequence[Key], asyncio.Future[Mapping[Key, Value]]]


class CoalescingLoader(Generic[Key, Value]):
    """Loader that merges the keys of concurrent callers into shared batches.

    `load` receives several keys and returns their values in the same order. Where a key fails, it returns the values before
    that key. Where the first key fails, it raises. Equal keys of one batch are loaded once. A value is always loaded after its
    key was requested.

    `split` divides the keys of a batch into groups that are loaded at the same time, each by itself.

    At most `max_concurrent` batches load at a time, each of about `max_batch_size` keys. `max_waiting` bounds the keys that
    wait for their load to begin; `check_capacity` applies it.
    """

    def __init__(
        self,
        load: Callable[[Sequence[Key]], Awaitable[Sequence[Value]]],
        *,
        max_concurrent: int,
        max_batch_size: int = sys.maxsize,
        max_waiting: int = sys.maxsize,
        overload_error: Callable[[], Exception] = ServerBusy,
        split: Callable[[Sequence[Key]], Sequence[Sequence[Key]]] | None = None,
    ) -> None:
        self._load = load
        self._split = split
        self._idle = max_concurrent
        self._max_batch_size = max_batch_size
        self._max_waiting = max_waiting
        self._overload_error = overload_error
        self._pending: deque[PendingLoad[Key, Value]] = deque()
        self._waiting_keys = 0
        self._loading: dict[asyncio.Task[None], Sequence[PendingLoad[Key, Value]]] = {}

    def check_capacity(self) -> None:
        """Raise `overload_error` where `max_waiting` keys or more wait.

        Requests call it once, before their first load. So a request is accepted or refused as a whole, however it splits its
        keys into loads. While no key waits, a request of any size is accepted.
        """
        if self._waiting_keys >= self._max_waiting:
            raise self._overload_error()

    async def load_many(self, keys: Sequence[Key]) -> list[Value]:
        """Return the values in the order of the keys. Raise the error of a load.

        Cancelling a caller does not cancel a shared load. A load without remaining waiters is cancelled.
        """
        result: asyncio.Future[Mapping[Key, Value]] = asyncio.get_running_loop().create_future()
        self._pending.append((keys, result))
        self._waiting_keys += len(keys)
        if self._idle:
            self._idle -= 1
            loading = asyncio.create_task(self._run())
            self._loading[loading] = ()
            loading.add_done_callback(self._loading.pop)
        try:
            values = await result
        except asyncio.CancelledError:
            self._cancel_unawaited()
            raise
        return [values[key] for key in keys]

    def _cancel_unawaited(self) -> None:
        """Cancel the loads without a remaining waiter."""
        for loading, batch in self._loading.items():
            if batch and all(result.done() for _, result in batch):
                self._loading[loading] = ()
                loading.cancel()

    async def _run(self) -> None:
        """Load batches until no key waits."""
        try:
            while batch := self._next_batch():
                await self._resolve(batch)
        finally:
            self._idle += 1

    def _next_batch(self) -> list[PendingLoad[Key, Value]]:
        """Dequeue the loads of the next round trip. The first one is included whatever its size."""
        batch: list[PendingLoad[Key, Value]] = []
        count = 0
        while self._pending and (not batch or count + len(self._pending[0][0]) <= self._max_batch_size):
            pending = self._pending.popleft()
            self._waiting_keys -= len(pending[0])
            # A cancelled caller needs no value.
            if not pending[1].done():
                batch.append(pending)
                count += len(pending[0])
        return batch

    async def _resolve(self, batch: Sequence[PendingLoad[Key, Value]]) -> None:
        distinct = [*dict.fromkeys(key for keys, _ in batch for key in keys)]
        loading = asyncio.current_task()
        assert loading is not None  # noqa: S101
        self._loading[loading] = batch
        try:
            if self._split is None:
                values, failures = await self._load_all(distinct)
            else:
                values, failures = await self._load_groups(self._split(distinct))
        except asyncio.CancelledError:
            if self._loading[loading]:
                raise
            # `_cancel_unawaited` cancelled this batch only: the task goes on with the next one.
            loading.uncancel()
            return
        except Exception as error:
            values, failures = {}, dict.fromkeys(distinct, error)
        for keys, result in batch:
            if result.done():
                continue
            if failure := next((failures[key] for key in keys if key in failures), None):
                result.set_exception(failure)
            else:
                result.set_result(values)

    async def _load_groups(self, groups: Sequence[Sequence[Key]]) -> tuple[dict[Key, Value], dict[Key, Exception]]:
        """Return the values, and the errors of the other keys, of groups loaded at the same time."""
        values: dict[Key, Value] = {}
        failures: dict[Key, Exception] = {}
        for loaded, failed in await asyncio.gather(*map(self._load_group, groups)):
            values |= loaded
            failures |= failed
        return values, failures

    async def _load_group(self, keys: Sequence[Key]) -> tuple[dict[Key, Value], dict[Key, Exception]]:
        """Return the values, and the errors of the other keys. Any other error is that of all keys."""
        try:
            return await self._load_all(keys)
        except Exception as error:
            return {}, dict.fromkeys(keys, error)

    async def _load_all(self, keys: Sequence[Key]) -> tuple[dict[Key, Value], dict[Key, Exception]]:
        """Return the values, and the errors of keys that timed out, are damaged or need a lost node.

        The error of one caller's key must not fail the keys of others: they are loaded without it. Where the next load times
        out as well, the cause is not a single key. Then all remaining keys fail, so that callers do not wait for more timeouts.

        After damaged totals or a lost node, which are noticed at once, further keys may fail as well. The statements of all
        keys behind the first of them would be executed in vain. So the next load has one key, and each later one twice as many.
        """
        values: dict[Key, Value] = {}
        failures: dict[Key, Exception] = {}
        failed_before, size = False, len(keys)
        while keys:
            try:
                loaded = await self._load(keys[:size])
            except (NodeUnavailable, TotalsDamaged) as error:
                failures[keys[0]] = error
                keys, size = keys[1:], 1
            except StatementTimeout as error:
                failures |= dict.fromkeys(keys if failed_before else keys[:1], error)
                keys = [] if failed_before else keys[1:]
                failed_before = True
            else:
                values |= zip(keys, loaded, strict=False)
                keys, size = keys[len(loaded) :], 2 * size
                failed_before = False
        return values, failures
