"""Pages of ordered lists: request and result. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Requested page of an ordered list: at most `size` entries between two entries.

    Attributes:
        after, before: IDs or numbers of the entries that enclose the page; None for the start and the end of the list.
        is_backward: The page holds the last entries between them instead of the first.
    """

    size: int
    after: int | None = None
    before: int | None = None
    is_backward: bool = False

    @property
    def limit(self) -> int:
        """Number of rows to read: the extra row shows that the list goes on."""
        return self.size + 1

    def window(self, total_count: int) -> tuple[int, int]:
        """Return the range of entries on the page: `start` (exclusive) and `end` (inclusive).

        The entries are numbered from 1, and `after` and `before` are such numbers. In a list of 10 entries, the page of 3
        entries after entry 2 is (2, 5): entries 3, 4 and 5.
        """
        end = total_count if self.before is None else min(self.before - 1, total_count)
        start = min(self.after or 0, total_count)
        if self.is_backward:
            start = max(start, end - self.size)
        else:
            end = min(end, start + self.size)
        return start, max(start, end)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `total_count` counts the entries of all pages."""

    entries: Sequence[T]
    has_previous_page: bool
    has_next_page: bool
    total_count: int

    @classmethod
    def of_rows(cls, request: PageRequest, rows: Sequence[T], total_count: int) -> "Page[T]":
        """Return the page of up to `request.limit` rows, which are in the order of the list.

        A cursor in the request counts as an entry outside the page, because it points to one.
        """
        has_more, follows, precedes = len(rows) > request.size, request.after is not None, request.before is not None
        if request.is_backward:
            return cls(rows[-request.size :], has_more or follows, precedes, total_count)
        return cls(rows[: request.size], follows, has_more or precedes, total_count)
