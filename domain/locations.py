"""Locations, lanes and changes of the region tree. Standard library only.

Values created for every query are named tuples: a frozen dataclass takes up to three times as long to create and to hash.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class LocationKind(StrEnum):
    """What a location is."""

    PORT = "PORT"
    REGION = "REGION"


@dataclass(frozen=True, slots=True)
class Location:
    """A port (key: UN/LOCODE in upper case) or a region (key: slug in lower case) of the region tree."""

    id: int
    kind: LocationKind
    key: str
    name: str
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class LocationPage:
    """One page of a location search. `total_count` counts every match, not only this page."""

    locations: list[Location]
    has_next_page: bool
    total_count: int


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A location as somebody wants it: `name` None keeps the name, `parent_key` None makes a root.

    `place` says in words where the wish was read, and `number` which of several it is, from 1.
    """

    kind: LocationKind
    key: str
    name: str | None
    parent_key: str | None
    place: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class TreeChange:
    """What a change of the tree came to, in locations."""

    added: int
    moved: int
    unchanged: int


class Lane(NamedTuple):
    """From one location to another, by id. Either side may be a port or a region."""

    origin: int
    destination: int
