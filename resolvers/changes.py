"""Changes of prices, looked up for all who watch at once.

A batch wakes everybody who watches a lane. So those who ask while a look is under way share the next one: however many they
are, they take one connection of the process and a few statements.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from db import batches, lanes
from db.model import Lane, PriceBatch
from db.pool import Pool
from resolvers.errors import RequestError

MAX_BEHIND = 1_000
"""Batches that may come between two looks. A watcher who takes its events more slowly than that is let go, not waited for."""
BATCHES_A_STATEMENT = 5
"""Of tens of thousands of lanes each, as many as a reading statement has time for."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Whoever watches a lane: which, and where the changes stood when it last looked (None: it has not looked yet)."""

    lane: Lane
    seen: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """Where the changes stand now, and the batches that have touched the lane in between, in order."""

    seen: str | None
    batches: list[PriceBatch]


class PriceChanges:
    """Looks for changes; one for a process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asked: list[tuple[Watch, asyncio.Future[Found]]] = []
        self._looking: asyncio.Task[None] | None = None

    async def look(self, watch: Watch) -> Found:
        """Return what has changed for a watch. Raise RequestError (TOO_FAR_BEHIND)."""
        answer = asyncio.get_running_loop().create_future()
        self._asked.append((watch, answer))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_for_all())
        found: Found = await answer
        return found

    async def _look_for_all(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                await self._answer([(watch, answer) for watch, answer in asked if not answer.done()])
        finally:
            self._looking = None

    async def _answer(self, asked: Sequence[tuple[Watch, asyncio.Future[Found]]]) -> None:
        found: Sequence[Found | Exception]
        try:
            found = await self._find([watch for watch, _ in asked])
        except Exception as error:
            # Whoever asked decides what a failure means.
            found = [error] * len(asked)
        for (_, answer), result in zip(asked, found, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

    async def _find(self, watches: Sequence[Watch]) -> list[Found | Exception]:
        async with self._pool.connection() as connection:
            changes = {
                seen: await batches.list_changes(connection, seen, limit=MAX_BEHIND + 1)
                for seen in {watch.seen for watch in watches}
            }
            near = {seen for seen, (_, ids) in changes.items() if 0 < len(ids) <= MAX_BEHIND}
            changed = sorted({id_ for seen in near for id_ in changes[seen][1]})
            watched = sorted({watch.lane for watch in watches if watch.seen in near})
            touched: set[tuple[int, Lane]] = set()
            for start in range(0, len(changed), BATCHES_A_STATEMENT):
                ids = changed[start : start + BATCHES_A_STATEMENT]
                touched.update(await lanes.list_touched(connection, ids, watched))
            touching = {id_ for id_, _ in touched}
            models = await batches.get_batches(connection, sorted(touching)) if touching else []
        by_id = {model.id: model for model in models}
        return [_report(watch.lane, *changes[watch.seen], touched, by_id) for watch in watches]


def _report(
    lane: Lane, now: str, ids: Sequence[int], touched: set[tuple[int, Lane]], by_id: dict[int, PriceBatch]
) -> Found | Exception:
    if len(ids) > MAX_BEHIND:
        message = f"More than {MAX_BEHIND} batches have changed prices since the last look: watch again."
        return RequestError("TOO_FAR_BEHIND", message)
    return Found(now, [by_id[id_] for id_ in ids if (id_, lane) in touched])
