"""Generated uploads: a small world, and batches with the expected outcome.

The seed and the number of a batch determine it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from domain.batches import BatchStatus, OnError
from tests.support.worlds import Item, World

PORTS = {
    "CNSGH": "china", "CNNGB": "china", "SGSIN": "asia", "NLRTM": "north_europe", "DEHAM": "north_europe", "ESVLC": "europe",
}  # fmt: skip
REGIONS = {"world": None, "asia": "world", "china": "asia", "europe": "world", "north_europe": "europe"}
FIRST_DAY, LAST_DAY = date(2024, 1, 1), date(2024, 4, 30)
INVALID = [
    {"origin": "ZZZZZ"},
    {"destination": "china"},
    {"price": "a lot"},
    {"dateFrom": "2024-02-30"},
    {"dateTo": "2023-01-01"},
    {"currency": "QQQ"},
]


def make_world() -> World:
    """Return a tree with ports at two depths and no prices."""
    return World({**REGIONS, **PORTS}, set(PORTS))


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch to upload. `good` are its valid items; `reverted` means reverted once applied."""

    key: str
    prices: list[dict[str, Any]]
    on_error: OnError
    good: list[Item]
    reverted: bool

    @property
    def end(self) -> BatchStatus:
        """Expected final status of the batch."""
        if not self.good or (self.on_error is OnError.REJECT_BATCH and len(self.good) < len(self.prices)):
            return BatchStatus.REJECTED
        return BatchStatus.REVERTED if self.reverted else BatchStatus.APPLIED

    @property
    def remaining(self) -> list[Item]:
        """Items whose prices must exist at the end."""
        return self.good if self.end is BatchStatus.APPLIED else []

    def as_input(self, wait_ms: int) -> dict[str, Any]:
        """Return the input of the mutation."""
        return {"idempotencyKey": self.key, "prices": self.prices, "onError": self.on_error.value, "waitMs": wait_ms}


def make_batch(seed: int, number: int) -> Batch:
    """Return the batch of the number, deterministic for the seed."""
    random = Random(f"{seed}-{number}")  # noqa: S311
    on_error = random.choice([OnError.REJECT_BATCH, OnError.SKIP_INVALID])
    faulty = random.random() < 0.2
    prices, good = [], []
    for position in range(random.randint(1, 20)):
        item, price = _make_price(random)
        if faulty and (position == 0 or random.random() < 0.3):
            prices.append({**price, **random.choice(INVALID)})
        else:
            prices.append(price)
            good.append(item)
    random.shuffle(prices)
    return Batch(f"{seed}-{number}", prices, on_error, good, reverted=random.random() < 0.1)


def _make_price(random: Random) -> tuple[Item, dict[str, Any]]:
    """Return a valid item, and its form in an upload."""
    origin, destination = random.choice(list(PORTS)), random.choice(list(PORTS))
    first = FIRST_DAY + timedelta(days=random.randint(0, 90))
    last = min(LAST_DAY, first + timedelta(days=random.choice([0, 0, 1, 6, 30])))
    amount = Decimal(random.randint(-5_000, 400_000)) / 100
    price = {"origin": origin, "destination": destination, "dateFrom": str(first), "price": str(amount)}
    if last != first:
        price["dateTo"] = str(last)
    if random.random() < 0.5:
        price["currency"] = "USD"
    return Item(origin, destination, first, last, amount), price
