"""libpq connection strings: their validation, and reasons of failed connections."""

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from psycopg_pool import PoolTimeout

from db.errors import DatabaseUnavailable

REASONS = (
    (r"database \"[^\n]*\" does not exist", "the database does not exist; create it, for instance with createdb"),
    (r"role \"[^\n]*\" does not exist", "the user does not exist"),
    (r"password authentication failed", "the password was rejected"),
    (r"no password supplied", "a password is required and none was given"),
    (r"failed to resolve host|could not translate host name", "the host name cannot be resolved"),
    (r"connection refused", "connection refused; no PostgreSQL listens there"),
    (r"no such file or directory", "its socket does not exist; no PostgreSQL listens there"),
    (r"timeout|timed out", "it does not answer in time"),
)
"""Patterns of messages, with the reason to state.

A failed connection has no SQLSTATE in libpq. Messages of a server in another language match none, and are shown as they are.
"""


def is_connection_string(text: str) -> bool:
    """Return whether libpq can parse the text, as a URL or as `key=value` pairs.

    `@` or `/` in a password without percent-encoding moves a part of it into the host, the port or the name of the database.
    """
    try:
        parameters = conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        return False
    port = str(parameters.get("port") or "")
    # A host that begins with `@` is an abstract socket.
    places = (str(parameters.get("host") or "")[1:], str(parameters.get("dbname") or ""))
    return re.fullmatch(r"[\d,]*", port) is not None and not any("@" in place for place in places)


def describe_outage(database_url: str, error: DatabaseUnavailable) -> str | None:
    """Return the database's name and address and the reason of the failure.

    The password appears nowhere in it. Return None if the driver gave no reason.
    """
    cause = error.__cause__
    if not isinstance(cause, psycopg.OperationalError) or isinstance(cause, PoolTimeout | psycopg.errors.DiskFull):
        return None
    # Environment variables such as PGHOST count too.
    defaults = {each.keyword.decode(): (each.val or b"").decode() for each in Conninfo.get_defaults()}
    parameters = conninfo_to_dict(database_url)
    host, port, name, user = (parameters.get(key) or defaults[key] for key in ("host", "port", "dbname", "user"))
    name = name or user
    place = f"{host or 'the local socket'}, port {port}"
    shown = f"database {name}" if name else "database"
    as_user = f" as user {user}" if user else ""
    return f"The {shown} at {place} cannot be reached{as_user}: {_reason(str(cause))}."


def _reason(message: str) -> str:
    for pattern, reason in REASONS:
        if re.search(pattern, message, re.IGNORECASE):
            return reason
    lines = message.strip().splitlines() or ["no reason was given"]
    # Of several attempts, one per address of the host, the last is shown.
    line = next((line for line in reversed(lines) if "failed: " in line), lines[0])
    return line.rpartition("failed: ")[2].removesuffix(".")
