"""Items decoded before execution, and the lists in which they pass through coercion."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from resolvers.uploads.items import PriceItem

STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]", re.ASCII)
"""Step of a path within a variable, such as `.prices` or `[0]`."""


@dataclass(frozen=True, slots=True)
class DecodedItems:
    """Decoded upload items. JSON cannot represent this type, so no client can send it."""

    items: list[PriceItem]


class DecodedLocations(str):
    """Decoded locations, carried by a text of a type that no client can send.

    `locations` holds the key, the name and the parent key of each.
    """

    __slots__ = ("locations",)

    def __new__(cls, locations: Sequence[tuple[str, str, str | None]]) -> Self:
        """Return an empty text with the locations."""
        carrier = super().__new__(cls)
        carrier.locations = locations
        return carrier

    locations: Sequence[tuple[str, str, str | None]]


class CondensedItems(list[object]):
    """List of items in which one entry stands for a run of valid items.

    Invalid items are entries as they are. `positions` holds, for each entry, the index of its first item in the list that was
    sent.
    """

    __slots__ = ("positions",)

    def __init__(self) -> None:
        super().__init__()
        self.positions: list[int] = []

    def add(self, position: int, entry: object) -> None:
        """Add an entry that stands for the items from this index."""
        self.append(entry)
        self.positions.append(position)


def restore_path(value: object, path: str) -> str:
    """Return the path in the value that was sent, given the path in the decoded value."""
    restored = ""
    for step in STEP.finditer(path):
        text = step[0]
        if step["name"] is not None:
            value = value.get(step["name"]) if isinstance(value, dict) else None
        elif isinstance(value, CondensedItems):
            index = int(step["index"])
            text, value = f"[{value.positions[index]}]", value[index]
        restored += text
    return restored
