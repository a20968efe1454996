"""Price changes of subscribed lanes, polled for all subscriptions of a process together.

Each batch wakes all subscriptions. Polls that arrive while another one runs are coalesced into the next. So any number of
subscriptions uses one connection of the process and a few statements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from db.errors import StatementTimeout
from db.pool import Pool
from db.repositories import batches
from db.repositories.lanes import list_touched
from domain.batches import PriceBatch
from domain.locations import Lane
from resolvers.errors import RequestError
from resolvers.loading.coalescing_loader import CoalescingLoader

MAX_LAG_BATCHES = 1_000
"""Batches between two polls of a subscription. A client that consumes its events more slowly is disconnected."""
BATCHES_PER_STATEMENT = 5
"""Batches may have tens of thousands of lanes each; more would exceed the time limit of a read statement."""


@dataclass(frozen=True, slots=True)
class LaneSubscription:
    """Subscription to lanes. `cursor` is the position of its last poll; None before the first."""

    lanes: frozenset[Lane]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Batch that was applied or reverted, and the subscribed lanes that it touched."""

    batch: PriceBatch
    lanes: frozenset[Lane]


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """Result of a poll: the new cursor, and the changes of the lanes, in order."""

    cursor: str | None
    changes: list[PriceChange]


class PriceChanges:
    """Coalescing poller of price changes, one per process."""

    def __init__(self, pool: Pool) -> None:
        self._polls = CoalescingLoader(partial(_poll_safely, pool), max_concurrent=1)

    async def poll(self, subscription: LaneSubscription) -> ChangesSince:
        """Return the changes since the last poll. Raise RequestError (TOO_FAR_BEHIND)."""
        [changes] = await self._polls.load_many([subscription])
        if isinstance(changes, Exception):
            raise changes
        return changes


async def _poll_safely(pool: Pool, subscriptions: Sequence[LaneSubscription]) -> Sequence[ChangesSince | Exception]:
    try:
        return await _fetch_changes(pool, subscriptions)
    except StatementTimeout as error:
        # The loader would retry the subscriptions in smaller loads: too slow for thousands of them.
        return [error] * len(subscriptions)


async def _fetch_changes(pool: Pool, subscriptions: Sequence[LaneSubscription]) -> list[ChangesSince | Exception]:
    async with pool.connection() as connection:
        changes = {
            cursor: await batches.list_changes(connection, cursor, limit=MAX_LAG_BATCHES + 1)
            for cursor in {subscription.cursor for subscription in subscriptions}
        }
        behind = {cursor for cursor, (_, ids) in changes.items() if 0 < len(ids) <= MAX_LAG_BATCHES}
        changed = sorted({id_ for cursor in behind for id_ in changes[cursor][1]})
        lanes_behind = sorted({lane for each in subscriptions if each.cursor in behind for lane in each.lanes})
        touched: dict[int, set[Lane]] = {}
        for start in range(0, len(changed), BATCHES_PER_STATEMENT):
            ids = changed[start : start + BATCHES_PER_STATEMENT]
            for id_, lane in await list_touched(connection, ids, lanes_behind):
                touched.setdefault(id_, set()).add(lane)
        models = await batches.get_batches(connection, sorted(touched)) if touched else []
    by_id = {model.id: model for model in models}
    return [
        _to_result(subscription.lanes, *changes[subscription.cursor], touched, by_id) for subscription in subscriptions
    ]


def _to_result(
    lanes: frozenset[Lane], cursor: str, ids: Sequence[int], touched: dict[int, set[Lane]], by_id: dict[int, PriceBatch]
) -> ChangesSince | Exception:
    if len(ids) > MAX_LAG_BATCHES:
        message = f"Subscription fell more than {MAX_LAG_BATCHES} batches behind; resubscribe."
        return RequestError("TOO_FAR_BEHIND", message)
    found = ((id_, lanes & touched[id_]) for id_ in ids if id_ in touched)
    return ChangesSince(cursor, [PriceChange(by_id[id_], hit) for id_, hit in found if hit])
