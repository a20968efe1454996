"""Suggestions for the unknown ports and currencies of items, as queries make them."""

from collections.abc import Iterable, Mapping

import polars as pl

from db.repositories.locations import SimilarLocations
from domain.locations import Location, LocationKind

MAX_COMPARISONS = 2_000_000
"""Comparisons of texts per batch, about 0.1 s.

A million unknown codes in a million items would otherwise be compared with every port.
"""
MAX_COMPARED_CURRENCIES = 1_000
"""Unknown currencies per slice that are compared with the known ones."""
MAX_COMPARED_LENGTH = 63


class PortSuggestions:
    """Suggestions for the unknown ports of one batch, within MAX_COMPARISONS."""

    def __init__(self, locations: Iterable[Location]) -> None:
        self._ports = [location for location in locations if location.kind is LocationKind.PORT]
        self._similar: SimilarLocations | None = None
        self._hints: dict[str, str] = {}

    def hints(self, texts: Iterable[str]) -> dict[str, str]:
        """Return the hint, which may be empty, for the texts so far that could be compared."""
        if self._similar is None:
            self._similar = SimilarLocations(self._ports)
        for text in texts:
            if len(self._hints) * 2 * len(self._ports) >= MAX_COMPARISONS:
                break
            if text not in self._hints:
                self._hints[text] = describe_suggestions(self._similar.closest_keys(text[:MAX_COMPARED_LENGTH]))
        return self._hints


def describe_suggestions(keys: Iterable[str]) -> str:
    """Return the end of a message that suggests the keys, or nothing."""
    named = " or ".join(keys)
    return f"; did you mean {named}?" if named else ""


def with_hints(frame: pl.DataFrame, column: str, hints: Mapping[str, str]) -> pl.DataFrame:
    """Return the frame with a column `hint`, which is empty for texts without a hint.

    A join, because `replace_strict` of polars 2.1 sometimes panics ("assertion failed: i < self.len()") on a filtered frame.
    """
    rows = pl.DataFrame(list(hints.items()), {column: pl.String, "hint": pl.String}, orient="row")
    return frame.join(rows, on=column, how="left", maintain_order="left").with_columns(pl.col("hint").fill_null(""))
