"""Environment of the embedded PostgreSQL, without the locale and PG… variables of its user."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

LIBPQ_PREFIX = "PG"
"""Beginning of all variables of libpq and of PostgreSQL's programs, such as PGSERVICE and PGDATA."""
LOCALE_PREFIXES = ("LC_", "LANG")


def program_environment() -> dict[str, str]:
    """Return the environment of PostgreSQL's programs: no PG… variables, C locale, UTC.

    The locale of the environment may be missing on this machine, as over ssh or in a container, and initdb then refuses it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith((LIBPQ_PREFIX, *LOCALE_PREFIXES))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


@contextmanager
def without_libpq_variables() -> Iterator[None]:
    """Remove the PG… variables from this process and its child processes for the block.

    They describe connections to other servers. libpq offers no other way: a service (PGSERVICE), a time zone (PGTZ) and a style
    of dates (PGDATESTYLE) cannot be overridden in a connection string.
    """
    removed = {name: value for name, value in os.environ.items() if name.startswith(LIBPQ_PREFIX)}
    for name in removed:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(removed)
