"""Roles, and the sentences about databases that they cannot use."""

import asyncio
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from db.errors import DatabaseUnusable
from db.requirements import Work, check_database

NUMBERS = itertools.count()


def find_reason(url: str, work: Work) -> str:
    """Return the sentence about a database that cannot be used, without its beginning."""
    with pytest.raises(DatabaseUnusable) as caught:
        asyncio.run(check_database(url, work))
    beginning, found, reason = str(caught.value).partition(f" cannot be used as user {conninfo_to_dict(url)['user']}: ")
    assert beginning.startswith(f"The database {conninfo_to_dict(url)['dbname']} at ")
    assert found
    return reason


def execute(url: str, *statements: str) -> None:
    """Execute statements as the superuser."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def suggested_sql(reason: str) -> list[str]:
    """Return the statements in a sentence."""
    return re.findall(r"(?:ALTER|CREATE|GRANT) [^;]+;", reason)


@contextmanager
def created_role(url: str, options: str = "") -> Iterator[str]:
    """Create a role whose name needs quoting, and drop it with everything that depends on it."""
    name = f"App {next(NUMBERS)}"
    execute(url, f'CREATE ROLE "{name}" LOGIN {options}')
    try:
        yield name
    finally:
        execute(url, f'DROP OWNED BY "{name}" CASCADE; DROP ROLE "{name}"')
