"""Locations, lanes and changes of the region tree. Standard library only.

Values created for every query are named tuples: creating and hashing a frozen dataclass is up to three times as slow.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

SPACED_CODE = r"(?i)^([A-Z]{2})\s+([A-Z2-9]{3})$"
"""A UN/LOCODE as UNECE prints it, with a blank after the country: `NL RTM`. No slug has a blank."""


def normalize_code(text: str) -> str:
    """Return a code or slug trimmed, and a UN/LOCODE without the blank after the country."""
    return re.sub(SPACED_CODE, r"\1\2", text.strip())


class LocationKind(StrEnum):
    """Kind of a location."""

    PORT = "PORT"
    REGION = "REGION"


@dataclass(frozen=True, slots=True)
class Location:
    """Port or region of the region tree.

    The key of a port is its UN/LOCODE in upper case. The key of a region is its slug in lower case.
    """

    id: int
    kind: LocationKind
    key: str
    name: str
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """Requested state of a location.

    Attributes:
        name: None preserves the current name.
        parent_key: None makes the location a root.
        place: Source of the entry, for messages.
        number: Position of the entry in its source, from 1.
    """

    kind: LocationKind
    key: str
    name: str | None
    parent_key: str | None
    place: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class TreeChange:
    """Result of a change of the region tree, in numbers of locations."""

    added: int
    moved: int
    unchanged: int


class TreeMove(NamedTuple):
    """Locations before and after a change of the tree; `after` has all of `before`."""

    before: Sequence[Location]
    after: Sequence[Location]

    def list_moved_ports(self) -> list[int]:
        """Return the IDs of the ports that get other ancestors. New ports have no prices yet."""
        known, wanted = ({location.id: location.parent_id for location in tree} for tree in self)
        return [
            location.id
            for location in self.before
            if location.kind is LocationKind.PORT
            and _list_ancestors(location.id, known) != _list_ancestors(location.id, wanted)
        ]


def _list_ancestors(location_id: int, parents: Mapping[int, int | None]) -> list[int]:
    ancestors = []
    above = parents[location_id]
    while above is not None:
        ancestors.append(above)
        above = parents[above]
    return ancestors


class Lane(NamedTuple):
    """Origin and destination, by location ID. Either may be a port or a region."""

    origin: int
    destination: int
