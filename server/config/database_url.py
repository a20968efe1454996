"""Type of the settings that hold a database URL."""

from typing import Annotated

from pydantic import AfterValidator

from db.diagnosis.url_faults import find_url_problem


def check_database_url(value: str) -> str:
    """Return the URL without surrounding whitespace. Reject text that libpq does not understand.

    A secret that was mounted as a file often ends with a line break. The message shows no password.
    """
    text = value.strip() if "://" in value else value
    if (problem := find_url_problem(text)) is not None:
        raise ValueError(problem)
    return text


DatabaseUrl = Annotated[str, AfterValidator(check_database_url)]
