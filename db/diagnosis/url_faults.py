"""Connection strings that libpq does not understand, mostly in the form of another tool.

A message shows how to write the URL, with the password hidden. If the parts of the text are not certain, because a password
contains `@` or `/`, the message shows nothing of it.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from db.diagnosis.fault import Fault

EXAMPLE = "postgresql://USER:PASSWORD@HOST/DATABASE"
HIDDEN = "***"
SECRETS = {"password", "sslpassword", "oauth_client_secret"}

MALFORMED = Fault(
    "must be a URL such as postgresql://user@host/database (or a libpq connection string); percent-encode special characters"
    " of a password",
    "",
)
QUOTED = Fault(
    "must not be enclosed in quotes", "Remove them; an env file of Docker, for instance, does not remove them."
)
OTHER_FORM = Fault("must begin with postgresql://, not with {scheme}://, the form of {tool}", "Write {suggestion}")
OTHER_DATABASE = Fault("must name a PostgreSQL database; {scheme}:// is the URL of {tool}", "Write {suggestion}")
WEB_ADDRESS = Fault(
    "must be a connection string of PostgreSQL, not the address of a web page",
    "Copy the connection string that the provider shows: {suggestion}",
)
SEMICOLONS = Fault("must be a URL; pairs separated by semicolons are the form of .NET and PDO", "Write {suggestion}")
UNKNOWN_PARAMETER = Fault("must not contain the parameter {parameter}, which libpq does not know", "Write {suggestion}")
PLACEHOLDER = Fault("must contain the password instead of {placeholder}", "Replace the placeholder, with its brackets.")
URL_FAULTS = (
    MALFORMED,
    QUOTED,
    OTHER_FORM,
    OTHER_DATABASE,
    WEB_ADDRESS,
    SEMICOLONS,
    UNKNOWN_PARAMETER,
    PLACEHOLDER,
)

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.:_-]*)://")
TOOLS = (
    (r"postgres(?:ql)?\+\w+", "SQLAlchemy"),
    (r"jdbc:postgres(?:ql)?", "JDBC"),
    (r"(?:r2dbc|vertx-reactive):(?:pool:)?postgres(?:ql)?", "Java"),
    (r"psql|pgsql|postgis|timescale(?:gis)?", "Django"),
    (r"ecto", "Ecto"),
    (r"pdo[_-]pgsql", "Doctrine"),
    (r"pg|pgx|pq|psycopg[23]?|asyncpg|postgre|postgressql|postgresl|postgresql", "another tool"),
    (r"postgres(?:ql)?", "another tool"),
)
"""Patterns of schemes that mean PostgreSQL, with the tool that uses them. libpq compares the case."""
OTHER_DATABASES = (
    (r"(?:jdbc:)?mysql(?:\+\w+|2)?", "MySQL"),
    (r"(?:jdbc:)?mariadb(?:\+\w+)?", "MariaDB"),
    (r"(?:jdbc:)?sqlite3?(?:\+\w+)?", "SQLite"),
    (r"(?:jdbc:)?(?:mssql|sqlserver)(?:\+\w+)?", "SQL Server"),
    (r"(?:jdbc:)?oracle(?:\+\w+)?", "Oracle"),
    (r"mongodb(?:\+srv)?", "MongoDB"),
    (r"rediss?", "Redis"),
    (r"(?:jdbc:)?clickhouse(?:\+\w+)?", "ClickHouse"),
)
PAIRS = re.compile(
    r"\s*(?:pgsql:)?(?:host|server|data source|port|database|user id|username|dbname)\s*=[^;]*;", re.IGNORECASE
)
PLACEHOLDERS = re.compile(r"[\[<{]?your[-_ ]?password[\]>}]?|[\[<{]password[\]>}]", re.IGNORECASE)
SCHEMA_PARAMETERS = {"schema", "currentschema", "search_path"}
"""Parameters of other tools that name the schema, in lower case."""
RENAMED_PARAMETERS = {"applicationname": "application_name", "connecttimeout": "connect_timeout"}
DROPPED_PARAMETERS = {
    "connection_limit",
    "loggerlevel",
    "max_overflow",
    "pgbouncer",
    "pool_size",
    "pool_timeout",
    "prepared_statement_cache_size",
    "preparethreshold",
    "socket_timeout",
    "sockettimeout",
    "ssl",
    "sslaccept",
    "sslfactory",
    "sslidentity",
    "statement_cache_size",
    "tcpkeepalive",
}
"""Parameters of other tools, in lower case, that have no counterpart in libpq."""
PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def find_url_problem(text: str) -> str | None:
    """Return what is wrong with a connection string and how to write it.

    Return None if libpq understands it. `@` or `/` in a password without percent-encoding moves a part of it into the host, the
    port or the name of the database.
    """
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return _describe(QUOTED)
    if found := SCHEME.match(text):
        return _find_problem_of_url(found[1], text)
    if PAIRS.match(text):
        return _describe(SEMICOLONS, suggestion=EXAMPLE)
    return None if _parse(text) is not None else _describe(MALFORMED)


def _find_problem_of_url(scheme: str, text: str) -> str | None:
    if scheme not in {"postgresql", "postgres"}:
        return _describe_scheme(scheme, text)
    parameters = _parse(text)
    if parameters is None:
        unknown = next((name for name, _ in _split_query(text) if name not in _known_parameters()), None)
        suggestion = _suggest(text)
        if unknown is None or suggestion is None:
            return _describe(MALFORMED)
        return _describe(UNKNOWN_PARAMETER, parameter=unknown, suggestion=suggestion)
    if found := PLACEHOLDERS.fullmatch(parameters.get("password", "")):
        return _describe(PLACEHOLDER, placeholder=found[0])
    return None


def _describe_scheme(scheme: str, text: str) -> str:
    for pattern, tool in TOOLS:
        if re.fullmatch(pattern, scheme, re.IGNORECASE):
            return _describe(OTHER_FORM, scheme=scheme, tool=tool, suggestion=_suggest(text) or EXAMPLE)
    for pattern, tool in OTHER_DATABASES:
        if re.fullmatch(pattern, scheme, re.IGNORECASE):
            return _describe(OTHER_DATABASE, scheme=scheme, tool=tool, suggestion=EXAMPLE)
    if scheme.lower() in {"http", "https"}:
        return _describe(WEB_ADDRESS, suggestion=EXAMPLE)
    return _describe(MALFORMED)


def _describe(fault: Fault, **fields: str) -> str:
    cause, remedy = fault.explain(fields)
    return f"{cause}. {remedy}" if remedy else cause


def _parse(text: str) -> dict[str, str] | None:
    """Return the parameters of a connection string, or None if it is malformed or ambiguous."""
    try:
        parameters = {name: str(value) for name, value in conninfo_to_dict(text).items() if value is not None}
    except (psycopg.ProgrammingError, UnicodeError):
        return None
    # A host that begins with `@` is an abstract socket.
    places = (parameters.get("host", "")[1:], parameters.get("dbname", ""))
    has_port = re.fullmatch(r"[\d,]*", parameters.get("port", "")) is not None
    return parameters if has_port and not any("@" in place for place in places) else None


def _known_parameters() -> set[str]:
    return {each.keyword.decode() for each in Conninfo.get_defaults()}


def _split_query(text: str) -> Iterator[tuple[str, str]]:
    """Yield the query parameters of a URL, percent-decoded."""
    for part in text.partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if name:
            yield unquote(name), unquote(value)


def _suggest(text: str) -> str | None:
    """Return the URL as libpq understands it, with the password hidden.

    Return None if its parts are not certain.
    """
    address, _, query = text.partition("://")[2].partition("?")
    known = _known_parameters()
    kept: dict[str, str] = {}
    names = {name for name, _ in _split_query(text)}
    if "@" in query or "#" in text or (names & SECRETS and any(_is_strange(name, known) for name in names)):
        return None
    for name, value in _split_query(text):
        if name.lower() in SCHEMA_PARAMETERS:
            kept["options"] = f"{kept.get('options', '')} -csearch_path={_search_path(value)}".lstrip()
        elif (own_name := RENAMED_PARAMETERS.get(name.lower(), name)) in known:
            kept[own_name] = value
        elif (name, value) == ("ssl", "true"):
            kept["sslmode"] = "require"
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in kept.items())
    parameters = _parse(f"postgresql://{address}?{pairs}")
    return None if parameters is None else _show(parameters)


def _is_strange(name: str, known: set[str]) -> bool:
    """Return whether a parameter is unknown everywhere.

    After a password it may be a part of it that begins with `&`.
    """
    return name not in known and name.lower() not in SCHEMA_PARAMETERS | DROPPED_PARAMETERS | {*RENAMED_PARAMETERS}


def _search_path(schemas: str) -> str:
    """Return names of schemas as a search_path in `options`.

    A backslash escapes a blank there.
    """
    names = (name.strip() for name in schemas.split(","))
    quoted = (name if PLAIN_NAME.fullmatch(name) else '"{}"'.format(name.replace('"', '""')) for name in names)
    return ",".join(quoted).replace("\\", "\\\\").replace(" ", "\\ ")


def _show(parameters: dict[str, str]) -> str:
    """Return the URL of these parameters, without the values of secrets."""
    rest = {name: HIDDEN if name in SECRETS else value for name, value in parameters.items()}
    user, password, host = (rest.pop(name, "") for name in ("user", "password", "host"))
    if host.startswith("/") or "," in host:
        rest, host = {"host": host, **rest}, ""
    port = f":{rest.pop('port')}" if host and "port" in rest else ""
    database = quote(rest.pop("dbname", ""), safe="")
    login = f"{quote(user, safe='')}{f':{password}' if password else ''}@" if user else ""
    query = "&".join(f"{name}={quote(value, safe='/*,')}" for name, value in rest.items())
    shown_host = f"[{host}]" if ":" in host else quote(host, safe="")
    return f"postgresql://{login}{shown_host}{port}/{database}{f'?{query}' if query else ''}"
