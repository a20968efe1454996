"""Aliases of ports, and suggestions for unknown ports and currencies, as in queries."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import polars as pl

from db.repositories.locations import SimilarLocations, alias_forms
from domain.locations import Location, LocationKind

MAX_COMPARISONS = 2_000_000
"""Comparisons of texts per batch, about 0.1 s.

A million unknown codes in a million items would otherwise be compared with every port.
"""
MAX_COMPARED_CURRENCIES = 1_000
"""Unknown currencies per slice that are compared with the known ones."""
MAX_COMPARED_LENGTH = 63


Alias = tuple[str, str]
"""Alias of a location, and the key of the location."""


class PortAliases:
    """Ports by alias or name, for the items of one batch.

    An alias that several ports share stands for none of them. The name of a port counts as its alias.
    """

    def __init__(self, locations: Iterable[Location], aliases: Sequence[Alias]) -> None:
        self._ports = {each.key: each for each in locations if each.kind is LocationKind.PORT}
        self._aliases = aliases
        self._reported: set[str] = set()

    @cached_property
    def _by_alias(self) -> dict[str, Location]:
        """Ports by alias, collected at the first unknown port: most batches have none."""
        found: dict[str, set[str]] = {}
        names = ((form, key) for key, port in self._ports.items() for form in alias_forms(port.name)[:1])
        for alias, key in (*self._aliases, *names):
            if key in self._ports:
                found.setdefault(alias, set()).add(key)
        return {alias: self._ports[key] for alias, (key, *others) in found.items() if not others}

    def find(self, texts: Iterable[str]) -> dict[str, Location]:
        """Return the ports that the texts stand for, by text. Texts without a port are left out."""
        found = {}
        for text in texts:
            forms = alias_forms(text) if len(text) <= MAX_COMPARED_LENGTH and text.isprintable() else []
            port = next((self._by_alias[form] for form in forms if form in self._by_alias), None)
            if port is not None:
                found[text] = port
        return found

    def select_unreported(self, found: Mapping[str, Location]) -> dict[str, Location]:
        """Return one text for each port and alias that no earlier call has returned."""
        chosen = {}
        for text, port in found.items():
            alias = alias_forms(text)[0]
            if alias not in self._reported:
                self._reported.add(alias)
                chosen[text] = port
        return chosen


class PortSuggestions:
    """Suggestions for the unknown ports of one batch, within MAX_COMPARISONS."""

    def __init__(self, locations: Iterable[Location], aliases: Sequence[Alias] = ()) -> None:
        self._ports = [(each.key, each.name) for each in locations if each.kind is LocationKind.PORT]
        self._aliases = aliases
        self._hints: dict[str, str] = {}

    @cached_property
    def _similar(self) -> SimilarLocations:
        return SimilarLocations(self._ports, self._aliases)

    def hints(self, texts: Iterable[str]) -> dict[str, str]:
        """Return the hint, which may be empty, for the texts so far that could be compared."""
        for text in texts:
            if len(self._hints) * self._similar.comparison_count >= MAX_COMPARISONS:
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
