"""Type of the settings that hold a database URL."""

from typing import Annotated

from pydantic import AfterValidator

from db.conninfo import is_connection_string


def check_database_url(value: str) -> str:
    """Reject text that libpq cannot parse.

    The message does not quote it, because it may hold a password.
    """
    if not is_connection_string(value):
        raise ValueError(
            "must be a URL such as postgresql://user@host/database (or a libpq connection string);"
            " percent-encode special characters of a password"
        )
    return value


DatabaseUrl = Annotated[str, AfterValidator(check_database_url)]
