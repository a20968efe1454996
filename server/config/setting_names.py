"""Names of the environment variables of the settings: present, former and misspelt ones."""

from collections.abc import Iterable

from pydantic import AliasChoices
from rapidfuzz import fuzz, process

from server.config.settings import Settings

PREFIX = "RATESGRAPH_"
OTHER_NAMES = {"RATESGRAPH_TOKEN", "RATESGRAPH_URL", "RATESGRAPH_PAGES"}
"""Variables of client commands, of the examples and of the build of the pages. The server ignores them."""
OTHER_PREFIXES = ("RATESGRAPH_TEST_",)
MIN_SCORE = 70
"""Similarity of a misspelt name and its suggestion, in percent without the prefix."""


def environment_names(field: str) -> list[str]:
    """Return the environment variables of a field of `Settings`, the present name first."""
    match Settings.model_fields[field].validation_alias:
        case AliasChoices(choices=choices):
            return [str(choice) for choice in choices]
        case None:
            return [f"RATESGRAPH_{field.upper()}"]
        case alias:
            return [str(alias)]


def find_former_names(environment: Iterable[str]) -> dict[str, str]:
    """Return the former setting names among the variables. Each maps to its present name."""
    present = {name.upper() for name in environment}
    return {
        former: name
        for name, *former_names in map(environment_names, Settings.model_fields)
        for former in former_names
        if former in present
    }


def find_unknown_names(environment: Iterable[str]) -> dict[str, str | None]:
    """Return the variables with the settings' prefix that name no setting.

    Each maps to a similar setting, or None.
    """
    known = {name for field in Settings.model_fields for name in environment_names(field)} | OTHER_NAMES
    present = {name.upper() for name in environment if name.upper().startswith(PREFIX)}
    unknown = sorted(name for name in present - known if not name.startswith(OTHER_PREFIXES))
    return {name: _find_similar(name, known) for name in unknown}


def _find_similar(name: str, known: Iterable[str]) -> str | None:
    choices = {each: each.removeprefix(PREFIX) for each in sorted(known)}
    match = process.extractOne(name.removeprefix(PREFIX), choices, scorer=fuzz.ratio, score_cutoff=MIN_SCORE)
    return None if match is None else str(match[2])
