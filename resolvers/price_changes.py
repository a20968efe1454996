"""Price changes of subscribed lanes, polled for all subscriptions of a process together.

Each batch wakes all subscriptions. Polls that arrive while another one runs are coalesced into the next. So any number of
subscriptions uses one connection of the process and a few statements.
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
"""Batches between two polls of a subscription. A client that consumes its events more slowly is disconnected."""
BATCHES_PER_STATEMENT = 5
"""Batches may have tens of thousands of lanes each; more would exceed the time limit of a read statement."""


@dataclass(frozen=True, slots=True)
class LaneSubscription:
    """Subscription to a lane. `cursor` is the position of its last poll; None before the first."""

    lane: Lane
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """Result of a poll: the new cursor, and the batches that touched the lane, in order."""

    cursor: str | None
    batches: list[PriceBatch]


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
        lanes_behind = sorted({subscription.lane for subscription in subscriptions if subscription.cursor in behind})
        touched: set[tuple[int, Lane]] = set()
        for start in range(0, len(changed), BATCHES_PER_STATEMENT):
            ids = changed[start : start + BATCHES_PER_STATEMENT]
            touched.update(await lanes.list_touched(connection, ids, lanes_behind))
        touching = {id_ for id_, _ in touched}
        models = await batches.get_batches(connection, sorted(touching)) if touching else []
    by_id = {model.id: model for model in models}
    return [
        _to_result(subscription.lane, *changes[subscription.cursor], touched, by_id) for subscription in subscriptions
    ]


def _to_result(
    lane: Lane, cursor: str, ids: Sequence[int], touched: set[tuple[int, Lane]], by_id: dict[int, PriceBatch]
) -> ChangesSince | Exception:
    if len(ids) > MAX_LAG_BATCHES:
        message = f"Subscription fell more than {MAX_LAG_BATCHES} batches behind; resubscribe."
        return RequestError("TOO_FAR_BEHIND", message)
    return ChangesSince(cursor, [by_id[id_] for id_ in ids if (id_, lane) in touched])
