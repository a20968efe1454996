"""Targets of libpq connection strings, and sentences that say why they cannot be used.


A sentence names the address and the user. It never contains the password.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from psycopg.pq.abc import PGconn

from db.diagnosis.connection_faults import find_fault
from db.diagnosis.fault import Fault
from db.errors import ConnectionLost, DatabaseUnavailable, ReadOnlyServer, is_read_only

SECRETS = ("password", "sslpassword", "oauth_client_secret")
HIDDEN = "***"


def is_connection_string(text: str) -> bool:
    """Return whether the text is a connection string: a URL, or `dbname=… host=…`."""
    try:
        return bool(conninfo_to_dict(text))
    except psycopg.ProgrammingError:
        return False


@dataclass(frozen=True, slots=True)
class Target:
    """Database, address and user of a connection string.

    What it does not contain comes from the environment, such as PGHOST.
    """

    database: str
    host: str
    port: str
    user: str

    def describe(self, problem: str, cause: str, remedy: str) -> str:
        """Return the sentence for a failure, such as `cannot be reached`."""
        shown = f"database {self.database}" if self.database else "database"
        as_user = f" as user {self.user}" if self.user else ""
        text = f"The {shown} at {self.host or 'the local socket'}, port {self.port} {problem}{as_user}: {cause}."
        return f"{text} {remedy}".rstrip()


def choose_session_target(database_url: str) -> dict[str, str]:
    """Return the option with which libpq skips hosts that accept no writes, or no options.

    It applies to a URL with several hosts that does not choose itself. libpq would connect to the first host that answers.
    """
    is_chosen = (
        "target_session_attrs" in conninfo_to_dict(database_url)
        or _default_parameters()["target_session_attrs"] != "any"
    )
    return {} if is_chosen or not names_several_hosts(database_url) else {"target_session_attrs": "read-write"}


def names_several_hosts(database_url: str) -> bool:
    """Return whether the connection string, or else the environment, names more than one host."""
    defaults, parameters = _default_parameters(), conninfo_to_dict(database_url)
    return "," in str(parameters.get("host") or parameters.get("hostaddr") or defaults["host"] or defaults["hostaddr"])


def find_target(database_url: str, pgconn: PGconn | None) -> Target:
    """Return where the connection string leads. A service file is known to the connection alone."""
    given = {name: str(value) for name, value in conninfo_to_dict(database_url).items() if value is not None}
    known = _default_parameters() | _used_parameters(pgconn) | given
    return Target(known["dbname"] or known["user"], known["host"], known["port"], known["user"])


def _default_parameters() -> dict[str, str]:
    """Return what libpq uses for parameters that a connection string omits, such as PGHOST."""
    return {each.keyword.decode(): (each.val or b"").decode() for each in Conninfo.get_defaults()}


def _used_parameters(pgconn: PGconn | None) -> dict[str, str]:
    """Return the parameters of a connection, or none if it was closed or never begun."""
    if pgconn is None:
        return {}
    try:
        used = {"host": pgconn.host, "port": pgconn.port, "dbname": pgconn.db, "user": pgconn.user}
    except psycopg.OperationalError:
        return {}
    return {name: value.decode() for name, value in used.items() if value}


def quote_names(**names: str) -> dict[str, object]:
    """Return the names as SQL identifiers."""
    return {field: sql.Identifier(name).as_string() for field, name in names.items()}


def connection_error(database_url: str, error: psycopg.OperationalError) -> ConnectionLost:
    """Return the error for a failed connection, with the sentence for the operator."""
    target, message = find_target(database_url, error.pgconn), str(error)
    problem = "cannot be reached"
    found = find_fault(message)
    if found is None:
        return ConnectionLost(summary=target.describe(problem, _last_line(database_url, message), ""))
    fields = found.fields | quote_names(role=target.user, database=target.database)
    summary = target.describe(problem, *found.fault.explain(fields))
    kind = ReadOnlyServer if is_read_only(error) else ConnectionLost
    return kind(summary=summary, is_temporary=found.fault.is_temporary)


def with_summary(database_url: str, error: DatabaseUnavailable) -> DatabaseUnavailable:
    """Return the error with a sentence for the operator, if its connection broke."""
    cause = error.__cause__
    if isinstance(error, ConnectionLost) and error.summary is None and isinstance(cause, psycopg.OperationalError):
        return connection_error(database_url, cause)
    return error


def describe_unusable(database_url: str, pgconn: PGconn | None, fault: Fault, fields: dict[str, object]) -> str:
    """Return the sentence for a database that was reached and cannot be used."""
    return find_target(database_url, pgconn).describe("cannot be used", *fault.explain(fields))


def _last_line(database_url: str, message: str) -> str:
    """Return the line of an unknown message that contains the reason, without secrets."""
    lines = message.strip().splitlines() or ["no reason was given"]
    # Of several attempts, one per address of the host, the last is shown.
    line = next((line for line in reversed(lines) if "failed: " in line), lines[0])
    reason = line.rpartition("failed: ")[2].removesuffix(".")
    parameters = conninfo_to_dict(database_url)
    for secret in filter(None, map(parameters.get, SECRETS)):
        reason = reason.replace(str(secret), HIDDEN)
    return reason
