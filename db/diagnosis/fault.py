"""A reason why a database cannot be used, with its remedy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Explanation(NamedTuple):
    """Cause and remedy of one failure, with its names filled in."""

    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of failure. Both texts may contain names of fields in braces.

    Attributes:
        cause: Clause that completes "The database … cannot be reached: …", without a period.
        remedy: Sentences that tell the operator what to do, or SQL that ends with a semicolon.
        pattern: Regular expression of the driver's message, in lower or upper case. Its named groups are fields.
        is_temporary: Whether the same connection may succeed soon, without a change by the operator.
    """

    cause: str
    remedy: str
    pattern: str = ""
    is_temporary: bool = False

    def explain(self, fields: Mapping[str, object]) -> Explanation:
        """Return both texts with the fields filled in."""
        return Explanation(self.cause.format_map(fields), self.remedy.format_map(fields))
