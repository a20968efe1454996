"""What Relay connections share: opaque cursors (the kind of list, the id of the entry to go on after) and page info."""

import base64
import binascii
from collections.abc import Sequence

from strawberry.relay import PageInfo

from resolvers.errors import RequestError


def encode_cursor(kind: str, id_: int) -> str:
    """Return the cursor of an entry."""
    return base64.urlsafe_b64encode(f"{kind}:{id_}".encode()).decode()


def decode_cursor(kind: str, cursor: str | None, argument: str = "after") -> int | None:
    """Return the id in the cursor, or None for no cursor. Raise RequestError (INVALID_CURSOR) for any other text."""
    if cursor is None:
        return None
    try:
        found, _, id_ = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        found, id_ = "", ""
    if found != kind or not id_.isdigit() or len(id_) > 18:
        raise RequestError("INVALID_CURSOR", "This is no cursor of this list.", argument=argument)
    return int(id_)


def to_page_info(cursors: Sequence[str], *, has_next_page: bool, after: str | None) -> PageInfo:
    """Return the page info of a page that was asked for with `after`."""
    return PageInfo(
        has_next_page=has_next_page,
        has_previous_page=after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
