"""Types of the settings that hold database URLs."""

import re
from typing import Annotated

from pydantic import AfterValidator

from db.diagnosis.conninfo import names_several_hosts
from db.diagnosis.url_faults import find_url_problem

NEXT_URL = re.compile(r",\s*(?=[\w+.-]+://|\w+\s*=)|,\s*$")
"""Comma before another connection string.

Others belong to one, such as those between hosts.
"""


def check_database_url(value: str) -> str:
    """Return the URL without surrounding whitespace. Reject text that libpq does not understand.

    A secret that was mounted as a file often ends with a line break. The message shows no password.
    """
    text = value.strip() if "://" in value else value
    if (problem := find_url_problem(text)) is not None:
        raise ValueError(problem)
    return text


DatabaseUrl = Annotated[str, AfterValidator(check_database_url)]


def split_read_urls(value: str) -> list[str]:
    """Return the connection strings of a list separated by commas."""
    return [part.strip() for part in NEXT_URL.split(value) if part.strip()]


def check_read_urls(value: str) -> str:
    """Return the list. Reject text that libpq does not understand, and a URL with several hosts."""
    for number, url in enumerate(split_read_urls(value), start=1):
        if (problem := find_url_problem(url)) is not None:
            raise ValueError(f"URL {number} {problem}")
        if names_several_hosts(url):
            raise ValueError(
                f"URL {number} names several hosts; write one URL for each, separated by commas: connections of one pool"
                " would lead to replicas with different data"
            )
    return value


ReadUrls = Annotated[str, AfterValidator(check_read_urls)]
"""A list of database URLs, separated by commas."""
