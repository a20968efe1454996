"""Cost of a part of an operation as a formula over the variables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Variables = Mapping[str, Any]
Size = Callable[[Variables], int]
FIELDS_PER_ENTRY = 5
"""Number of fields that cost as much as an entry: the executor needs 4 microseconds for a field, and 20 for an entry."""


class CostEstimate(NamedTuple):
    """Maximum entries and bytes of a response; an unsized list has some entries and no bytes."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost formula: entries and bytes, plus the size of each part times its cost per entry.

    `fields` counts the fields of one object, with those of single objects below it and without those of lists.
    """

    entries: int = 0
    bytes: int = 0
    parts: tuple[tuple[Size, "Cost"], ...] = ()
    fields: int = 0

    def evaluate(self, variables: Variables) -> CostEstimate:
        """Return the estimate with these variables. Values of a wrong type cost nothing."""
        entries, size = self.entries, self.bytes
        for count_entries, cost in self.parts:
            count = count_entries(variables)
            # An estimate is only created for nested parts: most queries have none, and it takes as long as the rest.
            entry = cost.evaluate(variables) if cost.parts else cost
            entries += count * entry.entries
            size += count * entry.bytes
        return CostEstimate(entries, size)

    def plus(self, *others: "Cost") -> "Cost":
        """Return the sum of the costs."""
        costs = (self, *others)
        parts = tuple(part for cost in costs for part in cost.parts)
        entries, size = sum(cost.entries for cost in costs), sum(cost.bytes for cost in costs)
        return Cost(entries, size, parts, sum(cost.fields for cost in costs))

    def times(self, size: Size | int) -> "Cost":
        """Return the cost of `size` entries."""
        if not isinstance(size, int):
            return Cost(parts=((size, self),))
        if not self.parts:
            return Cost(size * self.entries, size * self.bytes)
        return Cost(parts=((lambda _variables: size, self),))

    def without_bytes(self) -> "Cost":
        """Return the cost with entries only."""
        return Cost(self.entries, 0, tuple((size, cost.without_bytes()) for size, cost in self.parts), self.fields)

    def with_fields(self) -> "Cost":
        """Return the cost of an entry with its fields."""
        return self.plus(Cost(self.fields // FIELDS_PER_ENTRY))
