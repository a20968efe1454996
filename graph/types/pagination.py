"""Relay pagination: connection and edge types, opaque cursors, page info.

A cursor holds the kind of the list and the ID of its entry; the next page starts after that entry.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import Generic, TypeVar

import strawberry
from strawberry.relay import PageInfo

from resolvers.errors import RequestError

T = TypeVar("T")


@strawberry.type(description="An entry of a page, with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(
        description="Opaque cursor; pass it as `after` to fetch the entries that follow this one."
    )
    node: T = strawberry.field(description="The entry itself.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The entries of this page.")
    page_info: PageInfo = strawberry.field(description="Whether further pages exist, and the cursors of this page.")
    total_count: int = strawberry.field(description="Number of entries on all pages together.")


def to_connection(
    kind: str, entries: Iterable[tuple[int, T]], *, has_next_page: bool, after: str | None, total_count: int
) -> Connection[T]:
    """Return the page that was requested with `after`; the ID of an entry becomes its cursor."""
    edges = [Edge(cursor=encode_cursor(kind, id_), node=node) for id_, node in entries]
    page_info = PageInfo(
        has_next_page=has_next_page,
        has_previous_page=bool(after),
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(edges=edges, page_info=page_info, total_count=total_count)


def encode_cursor(kind: str, id_: int) -> str:
    """Return the cursor of an entry."""
    return base64.urlsafe_b64encode(f"{kind}:{id_}".encode()).decode()


def decode_cursor(kind: str, cursor: str | None, argument: str = "after") -> int | None:
    """Return the ID in the cursor, or None without a cursor. An empty one counts as none, as grids send it for page one.

    Raise RequestError (INVALID_CURSOR) for any text that is not a cursor of this kind of list.
    """
    if not cursor:
        return None
    try:
        cursor_kind, _, id_ = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        cursor_kind, id_ = "", ""
    if cursor_kind != kind or not id_.isdigit() or len(id_) > 18:
        raise RequestError("INVALID_CURSOR", "Invalid cursor for this connection.", argument=argument)
    return int(id_)
