"""Names of the environment variables of the settings, with their former names."""

from collections.abc import Iterable

from pydantic import AliasChoices

from server.config.settings import Settings


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
