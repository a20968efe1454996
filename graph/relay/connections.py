"""Relay pagination: arguments, connection and edge types, opaque cursors, page info.

A cursor holds the kind of the list and the ID of its entry. A page lies after one cursor and before another, and is read from
its start (`first`) or its end (`last`). Source: GraphQL Cursor Connections Specification.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.relay import PageInfo

from domain.pages import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.errors import RequestError

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 50
"""Entries of a page that was requested with neither `first` nor `last`.

It is no default value in the schema: `first` would then be set whenever a client pages backward with `last`.
"""

First = Annotated[
    int | None,
    strawberry.argument(description="Maximum number of entries, from the start; 50 if `last` is omitted too."),
]
After = Annotated[str | None, strawberry.argument(description="The cursor of the entry after which the page starts.")]
Last = Annotated[
    int | None,
    strawberry.argument(description="Maximum number of entries, from the end; it cannot be combined with `first`."),
]
Before = Annotated[str | None, strawberry.argument(description="The cursor of the entry before which the page ends.")]


@strawberry.type(description="An entry of a page, with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(
        description=(
            "Opaque cursor; pass it as `after` to fetch the entries that follow this one, or as `before` to fetch those that"
            " precede it."
        )
    )
    node: T = strawberry.field(description="The entry itself.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The entries of this page.")
    page_info: PageInfo = strawberry.field(description="Whether further pages exist, and the cursors of this page.")
    total_count: int = strawberry.field(description="Number of entries on all pages together.")


def parse_page(
    context: RequestContext, kind: str, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> PageRequest:
    """Return the page that the arguments of a connection request.

    Raise RequestError (INVALID_PAGE_SIZE, INVALID_CURSOR).
    """
    max_size = context.app.limits.max_page_size
    if first is not None and last is not None:
        message = "first and last cannot be combined; request one of them."
        raise RequestError("INVALID_PAGE_SIZE", message, argument="last")
    if last is not None:
        size = _check_size("last", last, max_size)
    else:
        size = min(DEFAULT_PAGE_SIZE, max_size) if first is None else _check_size("first", first, max_size)
    return PageRequest(
        size,
        decode_cursor(kind, after, "after"),
        decode_cursor(kind, before, "before"),
        is_backward=last is not None,
    )


def _check_size(argument: str, size: int, max_size: int) -> int:
    if not 1 <= size <= max_size:
        message = f"{argument} must be between 1 and {max_size} (got {size})."
        raise RequestError("INVALID_PAGE_SIZE", message, argument=argument)
    return size


def to_connection(kind: str, page: Page[Any], entries: Iterable[tuple[int, T]]) -> Connection[T]:
    """Return the page with its entries as GraphQL types; the ID of an entry becomes its cursor."""
    edges = [Edge(cursor=encode_cursor(kind, id_), node=node) for id_, node in entries]
    page_info = PageInfo(
        has_next_page=page.has_next_page,
        has_previous_page=page.has_previous_page,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(edges=edges, page_info=page_info, total_count=page.total_count)


def encode_cursor(kind: str, id_: int) -> str:
    """Return the cursor of an entry."""
    return base64.urlsafe_b64encode(f"{kind}:{id_}".encode()).decode()


def decode_cursor(kind: str, cursor: str | None, argument: str) -> int | None:
    """Return the ID in the cursor, or None without a cursor.

    An empty string counts as no cursor. Raise RequestError (INVALID_CURSOR) for any other string that is not a cursor of
    this kind of list.
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
