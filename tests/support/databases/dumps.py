"""Complete dump of a database, for tests that assert that nothing has changed."""

import psycopg
from psycopg import sql

RELATIONS = """
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


def dump(database_url: str) -> dict[str, list[str]]:
    """Return the content of every table and sequence by name, including temporary ones."""
    with psycopg.connect(database_url) as connection:
        names = [sql.Identifier(*row) for row in connection.execute(RELATIONS).fetchall()]
        return {
            name.as_string(connection): [
                text
                for (text,) in connection.execute(sql.SQL("SELECT ROW(t.*)::text FROM {} t ORDER BY 1").format(name))
            ]
            for name in names
        }
