"""Changes of prices, looked up for all who watch at once.

A batch wakes everybody who watches a lane. So those who ask while a look is under way share the next one: however many they
are, they take one connection of the process and a few statements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from db.errors import StatementTimeout
from db.pool import Pool
from db.repositories import batches, lanes
from domain.batches import PriceBatch
from domain.locations import Lane
from resolvers.errors import RequestError
from resolvers.loading.coalescing_loader import CoalescingLoader

MAX_LAG_BATCHES = 1_000
"""Batches that may come between two looks. A watcher who takes its events more slowly than that is let go, not waited for."""
BATCHES_PER_STATEMENT = 5
"""Of tens of thousands of lanes each, as many as a reading statement has time for."""


@dataclass(frozen=True, slots=True)
class LaneSubscription:
    """Whoever watches a lane: which, and where the changes stood when it last looked (None: it has not looked yet)."""

    lane: Lane
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """Where the changes stand now, and the batches that have touched the lane in between, in order."""

    cursor: str | None
    batches: list[PriceBatch]


class PriceChanges:
    """Looks for changes; one for a process."""

    def __init__(self, pool: Pool) -> None:
        self._polls = CoalescingLoader(partial(_poll_safely, pool), max_concurrent=1)

    async def poll(self, watch: LaneSubscription) -> ChangesSince:
        """Return what has changed for a watch. Raise RequestError (TOO_FAR_BEHIND)."""
        [found] = await self._polls.load_many([watch])
        if isinstance(found, Exception):
            raise found
        return found


async def _poll_safely(pool: Pool, watches: Sequence[LaneSubscription]) -> Sequence[ChangesSince | Exception]:
    try:
        return await _fetch_changes(pool, watches)
    except StatementTimeout as error:
        # There may be thousands of them: to look for each alone would take them too long.
        return [error] * len(watches)


async def _fetch_changes(pool: Pool, watches: Sequence[LaneSubscription]) -> list[ChangesSince | Exception]:
    async with pool.connection() as connection:
        changes = {
            seen: await batches.list_changes(connection, seen, limit=MAX_LAG_BATCHES + 1)
            for seen in {watch.cursor for watch in watches}
        }
        near = {seen for seen, (_, ids) in changes.items() if 0 < len(ids) <= MAX_LAG_BATCHES}
        changed = sorted({id_ for seen in near for id_ in changes[seen][1]})
        watched = sorted({watch.lane for watch in watches if watch.cursor in near})
        touched: set[tuple[int, Lane]] = set()
        for start in range(0, len(changed), BATCHES_PER_STATEMENT):
            ids = changed[start : start + BATCHES_PER_STATEMENT]
            touched.update(await lanes.list_touched(connection, ids, watched))
        touching = {id_ for id_, _ in touched}
        models = await batches.get_batches(connection, sorted(touching)) if touching else []
    by_id = {model.id: model for model in models}
    return [_to_result(watch.lane, *changes[watch.cursor], touched, by_id) for watch in watches]


def _to_result(
    lane: Lane, now: str, ids: Sequence[int], touched: set[tuple[int, Lane]], by_id: dict[int, PriceBatch]
) -> ChangesSince | Exception:
    if len(ids) > MAX_LAG_BATCHES:
        message = f"More than {MAX_LAG_BATCHES} batches have changed prices since the last look: watch again."
        return RequestError("TOO_FAR_BEHIND", message)
    return ChangesSince(now, [by_id[id_] for id_ in ids if (id_, lane) in touched])
