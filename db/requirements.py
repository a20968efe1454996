"""Checks of a database: version, encoding, settings, schema, privileges of the role.

A statement that fails for one of these reasons names a table, and not what to do. So commands check at their start, and again
to explain an error. The result is a sentence for the operator, mostly with the SQL that helps.
"""

import re
from collections.abc import Sequence
from contextlib import nullcontext
from enum import Enum, auto
from typing import NamedTuple

from psycopg import sql

from db.administration import access
from db.administration.access import Relation, Session
from db.connection import Connection, closing_on_timeout, open_connection
from db.diagnosis import requirement_faults as faults
from db.diagnosis.conninfo import describe_unusable, with_summary
from db.diagnosis.fault import Fault
from db.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DatabaseUnusable,
    MigrationNeeded,
    describe_for_operator,
    driver_errors,
)
from db.migrate import HISTORY_TABLE, created_tables, migration_names

MAX_LISTED = 3
"""Tables that a sentence names; it counts the others."""
"""Source of a setting that stands in the URL or in PGOPTIONS (`pg_settings`)."""
DEFAULT_SOURCES = {"default", "configuration file"}
"""Sources of a setting that was chosen neither for the role nor for the database."""
ROLE_SCHEMA = "$user"
"""Name in a search_path that stands for the schema with the name of the role."""


class Work(Enum):
    """Kind of work of a process with the database, which determines the required privileges."""

    MIGRATE = auto()
    CHANGE = auto()
    """Read and write prices, as servers and workers do."""
    READ = auto()
    """Run one command, which may need few privileges. PostgreSQL itself refuses what is missing."""


class Obstacle(NamedTuple):
    """Reason why the database cannot be used: a kind of fault, and the names for its message."""

    fault: Fault
    fields: dict[str, object]


async def check_database(database_url: str, work: Work) -> set[str]:
    """Return the names of the migrations that are due.

    There are none unless the work is to migrate. Raise ConnectionLost, DatabaseUnusable or MigrationNeeded with a sentence for
    the operator.
    """
    try:
        with driver_errors():
            connection = await open_connection(database_url)
            # A running migration may take minutes.
            watchdog = nullcontext() if work is Work.MIGRATE else closing_on_timeout(connection)
            async with connection:
                with watchdog:
                    return await _check_connection(connection, database_url, work)
    except DatabaseUnavailable as error:
        raise with_summary(database_url, error) from error.__cause__


async def explain_refusal(database_url: str, error: DatabaseUnusable) -> str:
    """Return the sentence for the operator about a statement that PostgreSQL refused."""
    try:
        await check_database(database_url, Work.CHANGE)
    except DatabaseError as found:
        return describe_for_operator(found)
    return describe_unusable(database_url, None, faults.REFUSED_STATEMENT, {"reason": describe_for_operator(error)})


async def _check_connection(connection: Connection, database_url: str, work: Work) -> set[str]:
    if (obstacle := _find_server_obstacle(connection)) is None:
        # PgBouncer in statement mode refuses a transaction.
        async with connection.transaction():
            session = await access.describe_session(connection)
            obstacle = _find_read_only_setting(session, work) or await _find_missing_schema(connection, session)
            if obstacle is None and work is Work.MIGRATE:
                # yoyo commits a migration before it records it.
                await access.lock_migrations(connection)
            if obstacle is None:
                due, obstacle = await _inspect_schema(connection, session, work)
                if obstacle is None:
                    return due
            names = {"role": session.role, "database": session.database, "schema": session.schema}
            obstacle.fields.update(names | obstacle.fields)
    kind = MigrationNeeded if obstacle.fault is faults.NOT_MIGRATED else DatabaseUnusable
    raise kind(describe_unusable(database_url, connection.pgconn, *obstacle))


def _find_server_obstacle(connection: Connection) -> Obstacle | None:
    """Check what the server reports about itself when a connection opens."""
    info = connection.info
    if info.server_version < faults.MIN_VERSION * 10_000:
        return Obstacle(faults.OLD_SERVER, {"version": info.parameter_status("server_version")})
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        name = sql.Identifier(f"{info.dbname}_utf8").as_string()
        return Obstacle(faults.WRONG_ENCODING, {"encoding": encoding, "new_database": name})
    return None


def _find_read_only_setting(session: Session, work: Work) -> Obstacle | None:
    if work is Work.READ or not session.is_read_only:
        return None
    return Obstacle(faults.read_only_fault(is_standby=session.is_standby, source=session.read_only_source), {})


async def _find_missing_schema(connection: Connection, session: Session) -> Obstacle | None:
    """Return why no schema of the search_path can be used, or None if one can."""
    if session.schema is not None:
        return None
    names = _parse_search_path(session.search_path)
    if not names:
        return Obstacle(faults.EMPTY_SEARCH_PATH, {"set_search_path": _set_search_path(session, "public")})
    own_schema = connection.info.user
    existing = await access.list_schemas(connection, [*names, own_schema])
    chosen = next((name for name in names if name in existing), None)
    if chosen is not None:
        return Obstacle(faults.FORBIDDEN_SCHEMA, {"schema": sql.Identifier(chosen).as_string()})
    missing = next((name for name in names if name != ROLE_SCHEMA), own_schema)
    fields: dict[str, object] = {"search_path": session.search_path, "schema": sql.Identifier(missing).as_string()}
    return Obstacle(faults.MISSING_SCHEMA, fields)


def _parse_search_path(text: str) -> list[str]:
    """Return the names of a search_path, without empty ones."""
    found = re.findall(r'"((?:[^"]|"")*)"|([^\s,"]+)', text)
    return [name for quoted, plain in found if (name := quoted.replace('""', '"') or plain.lower())]


def _set_search_path(session: Session, schema: str) -> str:
    """Return how to set the search_path where it is set now."""
    if session.search_path_source == faults.CLIENT:
        return f"write options=-csearch_path%3D{schema} in the URL, or in PGOPTIONS if it is there."
    return f"ALTER ROLE {session.role} IN DATABASE {session.database} SET search_path = {schema};"


async def _inspect_schema(connection: Connection, session: Session, work: Work) -> tuple[set[str], Obstacle | None]:
    """Return the migrations that are due, and what prevents them or the work."""
    due: set[str] = set()
    relations = await access.list_relations(connection, [HISTORY_TABLE, *created_tables(migration_names())])
    history = [relation for relation in relations if relation.name == HISTORY_TABLE]
    if not history:
        due.update(migration_names())
    elif "SELECT" not in history[0].missing_privileges:
        due.update(set(migration_names()) - await access.list_applied_migrations(connection))
    elif work is Work.MIGRATE:
        return due, _find_missing_privileges(session, relations)
    if due:
        return due, await _find_obstacle_of_migration(connection, session, due, relations, work)
    tables = [relation for relation in relations if relation.name != HISTORY_TABLE]
    return due, None if work is Work.READ else _find_missing_privileges(session, tables)


async def _find_obstacle_of_migration(
    connection: Connection, session: Session, due: set[str], relations: Sequence[Relation], work: Work
) -> Obstacle | None:
    # While another process migrates, the table of migrations exists before the others.
    has_begun = HISTORY_TABLE in {relation.name for relation in relations}
    others = [relation for relation in relations if relation.name in created_tables(due)]
    if others and (work is Work.MIGRATE or not has_begun):
        return Obstacle(faults.OTHER_TABLES, {"tables": _list_names(others)})
    if not has_begun and _is_schema_accidental(session, work):
        hidden = await access.list_installations(connection)
        if hidden:
            use, set_up = (_set_search_path(session, schema) for schema in (hidden[0], str(session.schema)))
            return Obstacle(faults.HIDDEN_INSTALLATION, {"found": hidden[0], "use": use, "set_up": set_up})
    if work is not Work.MIGRATE:
        return Obstacle(faults.NOT_MIGRATED, {})
    if foreign := [relation for relation in relations if not relation.is_owned]:
        return Obstacle(faults.OTHER_OWNER, {"owner": foreign[0].owner})
    if not session.can_create:
        return Obstacle(faults.NO_CREATE, {"schema_owner": session.schema_owner})
    return None if session.can_create_temporary else Obstacle(faults.NO_TEMPORARY_TABLES, {})


def _is_schema_accidental(session: Session, work: Work) -> bool:
    """Return whether tables in another schema are probably meant.

    A schema with the name of the role comes first by default, so tables disappear when somebody creates one. A migration may
    create another installation in any other schema.
    """
    if work is Work.MIGRATE:
        return bool(session.is_role_schema) and ROLE_SCHEMA in _parse_search_path(session.search_path)
    return session.search_path_source in DEFAULT_SOURCES


def _find_missing_privileges(session: Session, relations: Sequence[Relation]) -> Obstacle | None:
    if lacking := [relation for relation in relations if relation.missing_privileges]:
        privileges = dict.fromkeys(name for relation in lacking for name in relation.missing_privileges)
        listed = {"privileges": ", ".join(privileges), "tables": _list_names(lacking), "owner": lacking[0].owner}
        return Obstacle(faults.NO_PRIVILEGES, {**listed})
    return None if session.can_create_temporary else Obstacle(faults.NO_TEMPORARY_TABLES, {})


def _list_names(relations: Sequence[Relation]) -> str:
    names = ", ".join(relation.name for relation in relations[:MAX_LISTED])
    others = len(relations) - MAX_LISTED
    return f"{names} and {others} more" if others > 0 else names
