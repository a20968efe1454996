"""Properties of a database, a schema or a role that Ratesgraph cannot work with.

They are checked on an open connection (`db.requirements`).
"""

from db.diagnosis.fault import Fault

CLIENT = "client"
"""Source in `pg_settings` of a value that the connection string or PGOPTIONS sets."""
MIN_VERSION, MAX_VERSION = 15, 18
"""Major versions of PostgreSQL that are tested. A newer one is not refused."""
VERSIONS = f"{MIN_VERSION} to {MAX_VERSION}"

OLD_SERVER = Fault(
    f"the server runs PostgreSQL {{version}}, and Ratesgraph supports {VERSIONS}",
    "Upgrade the server, or name another one in the URL.",
)
WRONG_ENCODING = Fault(
    "its encoding is {encoding}, and Ratesgraph requires UTF8",
    "Create a database with that encoding, and name it in the URL:"
    " CREATE DATABASE {new_database} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';",
)
STANDBY = Fault(
    "the server is a standby and accepts no changes",
    "Name the primary in the URL, or list all servers: postgresql://HOST1,HOST2/DATABASE?target_session_attrs=read-write.",
)
READ_ONLY_DEFAULT = Fault(
    "transactions are read-only by default (default_transaction_read_only)",
    "ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = off;",
)
READ_ONLY_OPTION = Fault(
    "the options of the URL, or PGOPTIONS, make transactions read-only",
    "Remove default_transaction_read_only from them.",
)
EMPTY_SEARCH_PATH = Fault(
    "the search_path is empty",
    "Name a schema that exists: {set_search_path}",
)
MISSING_SCHEMA = Fault(
    "no schema of the search_path exists ({search_path})",
    "Create it as a user who may: CREATE SCHEMA {schema} AUTHORIZATION {role};",
)
FORBIDDEN_SCHEMA = Fault(
    "the role may not use the schema {schema} of its search_path",
    "Grant it as the owner of the schema: GRANT USAGE, CREATE ON SCHEMA {schema} TO {role};",
)
NO_CREATE = Fault(
    "the role may not create tables in the schema {schema}",
    "Grant it as {schema_owner}, the owner of the schema: GRANT CREATE ON SCHEMA {schema} TO {role};",
)
OTHER_TABLES = Fault(
    "the schema {schema} contains relations of another application: {tables}",
    "Name an empty database in the URL, or use a schema of its own: CREATE SCHEMA ratesgraph AUTHORIZATION {role};"
    " ALTER ROLE {role} IN DATABASE {database} SET search_path = ratesgraph;",
)
HIDDEN_INSTALLATION = Fault(
    "the tables of Ratesgraph are in the schema {found}, and the search_path begins with {schema}",
    "To use them: {use} To set up another installation: {set_up} Then run `ratesgraph migrate`.",
)
OTHER_OWNER = Fault(
    "a migration is due, and the tables in the schema {schema} belong to the role {owner}",
    "Run `ratesgraph migrate` as that role, or let this one act as it: GRANT {owner} TO {role};",
)
NO_PRIVILEGES = Fault(
    "the role lacks {privileges} on {tables} in the schema {schema}",
    "Grant them as {owner}, the owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};"
    " And for later migrations: ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema}"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};",
)
NO_TEMPORARY_TABLES = Fault(
    "the role may not create temporary tables",
    "GRANT TEMPORARY ON DATABASE {database} TO {role};",
)
NOT_MIGRATED = Fault(
    "the schema {schema} has no current Ratesgraph tables",
    "Run `ratesgraph migrate` first.",
)
REFUSED_STATEMENT = Fault(
    "PostgreSQL refused a statement: {reason}",
    "Grant the missing privilege, or correct what it names; PostgreSQL's log has the statement.",
)

REQUIREMENT_FAULTS = (
    OLD_SERVER,
    WRONG_ENCODING,
    STANDBY,
    READ_ONLY_DEFAULT,
    READ_ONLY_OPTION,
    EMPTY_SEARCH_PATH,
    MISSING_SCHEMA,
    FORBIDDEN_SCHEMA,
    NO_CREATE,
    OTHER_TABLES,
    HIDDEN_INSTALLATION,
    OTHER_OWNER,
    NO_PRIVILEGES,
    NO_TEMPORARY_TABLES,
    NOT_MIGRATED,
    REFUSED_STATEMENT,
)
"""All of them, in the order in which they are checked."""


def read_only_fault(*, is_standby: bool, source: str) -> Fault:
    """Return why transactions are read-only; `source` is that of the setting in `pg_settings`."""
    if is_standby:
        return STANDBY
    return READ_ONLY_OPTION if source == CLIENT else READ_ONLY_DEFAULT
