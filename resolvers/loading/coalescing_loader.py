"""Gathers what all requests of a process ask for, so that they share round trips to the database.

A round trip costs several times what reading a lane does. So what is asked for while others are on their way waits for the
first of them to come back, and then travels in one go: an idle server answers at once, and a busy one gets quicker.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from db.errors import DatabaseUnavailable, StatementTimeout

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
PendingLoad = tuple[Sequence[Key], asyncio.Future[Mapping[Key, Value]]]


class CoalescingLoader(Generic[Key, Value]):
    """Answers questions by `load`, which takes several at once and answers in their order: all of them or, before one that
    fails, the first few. What the first one fails with is raised.

    What several ask at the same time is loaded once. An answer is always loaded after its question was asked. At most
    `at_once` loads are under way, each for some `max_together` questions, and `max_waiting` callers wait for one to begin.
    """

    def __init__(
        self,
        load: Callable[[Sequence[Key]], Awaitable[Sequence[Value]]],
        *,
        max_concurrent: int,
        max_batch_size: int = sys.maxsize,
        max_waiting: int = sys.maxsize,
    ) -> None:
        self._load = load
        self._idle = max_concurrent
        self._max_batch_size = max_batch_size
        self._max_waiting = max_waiting
        self._pending: deque[PendingLoad[Key, Value]] = deque()
        self._loading: dict[asyncio.Task[None], Sequence[PendingLoad[Key, Value]]] = {}

    async def load_many(self, keys: Sequence[Key]) -> list[Value]:
        """Return the answers in the order of the questions.

        Raise what loading them has raised, and DatabaseUnavailable where too many wait. Whoever is cancelled leaves the load to
        the others; one that nobody waits for any more is cancelled too.
        """
        if len(self._pending) >= self._max_waiting:
            raise DatabaseUnavailable
        answers: asyncio.Future[Mapping[Key, Value]] = asyncio.get_running_loop().create_future()
        self._pending.append((keys, answers))
        if self._idle:
            self._idle -= 1
            loading = asyncio.create_task(self._run())
            self._loading[loading] = ()
            loading.add_done_callback(self._loading.pop)
        try:
            found = await answers
        except asyncio.CancelledError:
            self._cancel_unawaited()
            raise
        return [found[question] for question in keys]

    def _cancel_unawaited(self) -> None:
        """Cancel the loads that nobody waits for."""
        for loading, wishes in self._loading.items():
            if wishes and all(waiting.done() for _, waiting in wishes):
                self._loading[loading] = ()
                loading.cancel()

    async def _run(self) -> None:
        """Load until nobody waits."""
        try:
            while wishes := self._next_batch():
                await self._resolve(wishes)
        finally:
            self._idle += 1

    def _next_batch(self) -> list[PendingLoad[Key, Value]]:
        """Return the wishes of the next round trip: at least one, where there is one, however much it asks for."""
        taken: list[PendingLoad[Key, Value]] = []
        count = 0
        while self._pending and (not taken or count + len(self._pending[0][0]) <= self._max_batch_size):
            wish = self._pending.popleft()
            # Whoever has gone needs no answer.
            if not wish[1].done():
                taken.append(wish)
                count += len(wish[0])
        return taken

    async def _resolve(self, wishes: Sequence[PendingLoad[Key, Value]]) -> None:
        questions = [*dict.fromkeys(question for asked, _ in wishes for question in asked)]
        loading = asyncio.current_task()
        assert loading is not None  # noqa: S101
        self._loading[loading] = wishes
        try:
            answers, failures = await self._load_all(questions)
        except asyncio.CancelledError:
            if self._loading[loading]:
                raise
            # It was abandoned, and others may wait for this place.
            loading.uncancel()
            return
        except Exception as error:
            answers, failures = {}, dict.fromkeys(questions, error)
        for asked, waiting in wishes:
            if waiting.done():
                continue
            if failed := next((failures[question] for question in asked if question in failures), None):
                waiting.set_exception(failed)
            else:
                waiting.set_result(answers)

    async def _load_all(self, keys: Sequence[Key]) -> tuple[dict[Key, Value], dict[Key, Exception]]:
        """Return the answers, and what became of the questions that took too long.

        Nobody is to pay for what another has asked: the others are tried without it. But where the next takes too long as
        well it is not the questions, and nobody is kept waiting for more of it.
        """
        answers: dict[Key, Value] = {}
        failures: dict[Key, Exception] = {}
        failed_before = False
        while keys:
            try:
                found = await self._load(keys)
            except StatementTimeout as error:
                failures |= dict.fromkeys(keys if failed_before else keys[:1], error)
                keys = [] if failed_before else keys[1:]
                failed_before = True
            else:
                answers |= zip(keys, found, strict=False)
                keys = keys[len(found) :]
                failed_before = False
        return answers, failures
