"""The only package that knows psycopg: pool, repositories, SQL files, migrations, embedded server.

Repositories are plain functions, one per SQL section, that take the connection first; the caller decides what one
transaction holds.
"""
