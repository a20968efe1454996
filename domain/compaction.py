"""Keys that a step of compaction merges: those of totals and of sketches."""

from datetime import date
from typing import NamedTuple

Key = tuple[int, int, date]
"""Origin, destination and month; the rows of one key are summed. Keys are ordered as tuples."""


class KeyRange(NamedTuple):
    """Keys that a step of compaction considers, and its limits.

    Attributes:
        after: Key behind which the step begins.
        until: ID of an origin; the keys have smaller ones.
        max_rows: Rows that a key may keep: only keys with more are merged.
        max_keys: Maximum number of keys that are merged.
        max_merged: Number of rows after which the step ends, behind the key with which it is reached.
    """

    after: Key
    until: int
    max_rows: int
    max_keys: int
    max_merged: int

    def to_parameters(self) -> dict[str, object]:
        """Return the parameters of a statement, with the parts of `after` by name."""
        origin, destination, month = self.after
        return {
            "origin": origin,
            "destination": destination,
            "month": month,
            "until": self.until,
            "max_rows": self.max_rows,
            "max_keys": self.max_keys,
            "max_merged": self.max_merged,
        }
