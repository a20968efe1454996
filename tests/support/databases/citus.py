"""A cluster of Citus that the environment names, with a schema of its own per module."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from db.migrate import migrate

CITUS_URL = "RATESGRAPH_TEST_CITUS_URL"
"""Variable with the URL of the coordinator of a running cluster, which the tests need because no package contains Citus."""
SHARDS = 4
"""Few shards, because creating them takes most of the time of a test."""


@contextmanager
def citus_schema() -> Iterator[str]:
    """Create a migrated schema in the cluster and drop it at the end; yield its URL.

    Skip the test if no cluster is named.
    """
    cluster = os.environ.get(CITUS_URL)
    if not cluster:
        pytest.skip(f"{CITUS_URL} names no cluster of Citus")
    schema = f"test_{uuid.uuid4().hex}"
    url = make_conninfo(cluster, options=f"-csearch_path={schema}")
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        try:
            migrate(url)
            yield url
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())


def distribute_tables(database_url: str) -> None:
    """Distribute the tables of a schema in the cluster."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (
            "SELECT create_reference_table('locations')",
            f"SELECT create_distributed_table('price_totals', 'origin', shard_count => {SHARDS})",
            "SELECT create_distributed_table('prices', 'origin', colocate_with => 'price_totals')",
        ):
            connection.execute(statement.encode())
