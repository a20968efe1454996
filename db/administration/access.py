"""Access of a session: its schema, its settings, and the privileges of its role."""

from collections.abc import Collection
from dataclasses import dataclass

from psycopg.rows import args_row, class_row

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("access")


@dataclass(frozen=True, slots=True)
class Session:
    """Role, database and schema of a session, spelled as in SQL, with what can prevent changes.

    Attributes:
        schema: Schema in which tables are created; None if the search_path leads to none.
        search_path_source: Origin of the setting, as `pg_settings` names it; `client` is the URL or PGOPTIONS.
        is_role_schema: Whether the schema has the name of the role.
        is_read_only: Whether transactions are read-only unless they say otherwise.
    """

    role: str
    database: str
    schema: str | None
    schema_owner: str | None
    search_path: str
    search_path_source: str
    is_role_schema: bool | None
    is_standby: bool
    is_read_only: bool
    read_only_source: str
    can_create: bool
    can_create_temporary: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """Table, view or other relation of the current schema."""

    name: str
    owner: str
    is_owned: bool
    missing_privileges: list[str]


async def get_schema(connection: Connection) -> int | None:
    """Return the OID of this installation's schema.

    Return None if the search_path leads to no schema.
    """
    async with connection.cursor(row_factory=args_row(lambda oid: oid)) as cursor:
        await cursor.execute(SQL["get_schema"])
        schema: int | None = (await cursor.fetchall())[0]
    return schema


async def describe_session(connection: Connection) -> Session:
    """Return the role, the schema and the settings of the session."""
    async with connection.cursor(row_factory=class_row(Session)) as cursor:
        await cursor.execute(SQL["describe_session"])
        return (await cursor.fetchall())[0]


async def measure_database(connection: Connection, statement: str) -> tuple[int, int]:
    """Return the database's size in bytes and the number of sessions with this last statement."""
    cursor = await connection.execute(SQL["measure_database"], {"statement": statement})
    size, count = (await cursor.fetchall())[0]
    return size, count


async def list_schemas(connection: Connection, names: Collection[str]) -> dict[str, bool]:
    """Return the schemas that exist of these names, each with whether the role may use it."""
    cursor = await connection.execute(SQL["list_schemas"], {"names": list(names)})
    return dict(await cursor.fetchall())


async def list_relations(connection: Connection, names: Collection[str]) -> list[Relation]:
    """Return the relations of the current schema that have one of these names."""
    async with connection.cursor(row_factory=args_row(Relation)) as cursor:
        await cursor.execute(SQL["list_relations"], {"names": list(names)})
        return await cursor.fetchall()


async def lock_migrations(connection: Connection) -> None:
    """Wait for a running migration of the current schema.

    Prevent others until the transaction ends.
    """
    await connection.execute(SQL["lock_migrations"])


async def list_applied_migrations(connection: Connection) -> set[str]:
    """Return the names of the migrations that were applied in the current schema."""
    cursor = await connection.execute(SQL["list_applied_migrations"])
    return {name for (name,) in await cursor.fetchall()}


async def list_installations(connection: Connection) -> list[str]:
    """Return the schemas of this database that contain tables of Ratesgraph."""
    cursor = await connection.execute(SQL["list_installations"])
    return [schema for (schema,) in await cursor.fetchall()]
