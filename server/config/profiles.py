"""Two profiles, one for one's own machine and one for the internet, and what is unsafe to mix.

`development` shows GraphiQL and the schema to everybody and helps with misspelt names. `production` shows the schema to who is
let, and helps nobody to guess it. Nothing is relaxed by accident: a server that others can reach is never in development.
"""

from enum import StrEnum

from server.config.network import is_loopback
from server.config.settings import Settings


class Profile(StrEnum):
    """How much a server tells of itself."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def choose_profile(settings: Settings) -> Profile:
    """Return the profile that was set; otherwise development for the embedded server on a loopback address."""
    if settings.profile is not None:
        return Profile(settings.profile)
    embedded = settings.database_url is None
    return Profile.DEVELOPMENT if embedded and is_loopback(settings.host) else Profile.PRODUCTION


def find_unsafe_combination(settings: Settings) -> str | None:
    """Return which settings are unsafe together, and why, or None."""
    is_local = is_loopback(settings.host)
    writes_are_open = settings.writes_are_open(embedded=settings.database_url is None)
    if choose_profile(settings) is Profile.DEVELOPMENT and not is_local:
        return (
            f"RATESGRAPH_PROFILE=development on {settings.host}: whoever reaches that address would be shown the whole"
            " schema. Listen on 127.0.0.1, or choose the profile production."
        )
    if writes_are_open and "*" in (settings.cors_origins or ""):
        return (
            "RATESGRAPH_CORS_ORIGINS=* while anyone on this machine may upload: every page that is opened in a browser here"
            " could change prices. Name the origins that may ask."
        )
    if settings.persisted_only and settings.documents_dir is None:
        return (
            "RATESGRAPH_PERSISTED_ONLY without RATESGRAPH_DOCUMENTS_DIR: no document is registered, so nothing would be"
            " answered. Name the folder of the documents."
        )
    return None
