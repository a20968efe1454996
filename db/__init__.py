"""Database access: pool, repositories, SQL files, migrations, embedded server.

No other package imports psycopg. A repository consists of plain functions, one per SQL section, with the connection as the
first parameter. The caller sets the transaction boundaries.
"""
