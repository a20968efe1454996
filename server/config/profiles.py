"""Deployment profiles, and checks for unsafe combinations of settings.

`development` serves GraphiQL, shows the schema to every caller and suggests names for misspelt fields. `production` shows the
schema to permitted callers only and suggests nothing. A server that other machines can reach never runs in development.
"""

from enum import StrEnum

from server.config.network import is_loopback
from server.config.settings import Settings


class Profile(StrEnum):
    """Deployment profile: how much the server reveals about itself."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def choose_profile(settings: Settings) -> Profile:
    """Return the profile to use.

    Without a setting this is development for an embedded server on a loopback address, otherwise production.
    """
    if settings.profile is not None:
        return Profile(settings.profile)
    embedded = settings.database_url is None
    return Profile.DEVELOPMENT if embedded and is_loopback(settings.host) else Profile.PRODUCTION


def find_unsafe_combination(settings: Settings) -> str | None:
    """Return a message about an unsafe combination of settings, or None."""
    is_local = is_loopback(settings.host)
    writes_are_open = settings.writes_are_open(embedded=settings.database_url is None)
    if choose_profile(settings) is Profile.DEVELOPMENT and not is_local:
        return (
            f"RATESGRAPH_PROFILE=development must not be used on {settings.host}: it exposes the schema to the network."
            " Listen on 127.0.0.1, or choose the profile production."
        )
    if writes_are_open and "*" in (settings.cors_origins or ""):
        return (
            "RATESGRAPH_CORS_ORIGINS=* must not be used while local callers may upload without a token: any web page opened"
            " in a browser on this machine could change prices. List the allowed origins."
        )
    if settings.persisted_only and settings.documents_dir is None:
        return (
            "RATESGRAPH_PERSISTED_ONLY without RATESGRAPH_DOCUMENTS_DIR: no document is registered, so nothing would be"
            " answered. Name the folder of the documents."
        )
    return None
