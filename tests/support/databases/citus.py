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


def cluster_url() -> str:
    """Return the URL of the coordinator. Skip the test if no cluster is named."""
    url = os.environ.get(CITUS_URL)
    if not url:
        pytest.skip(f"{CITUS_URL} names no cluster of Citus")
    return url


@contextmanager
def citus_schema() -> Iterator[str]:
    """Create a migrated schema in the cluster and drop it at the end; yield its URL."""
    cluster = cluster_url()
    schema = f"test_{uuid.uuid4().hex}"
    url = make_conninfo(cluster, options=f"-csearch_path={schema}")
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        try:
            migrate(url)
            yield url
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())


@contextmanager
def lonely_coordinator() -> Iterator[str]:
    """Create a database with the extension on the coordinator alone; yield its URL."""
    cluster = cluster_url()
    name = f"test_{uuid.uuid4().hex}"
    url = make_conninfo(cluster, dbname=name)
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            with psycopg.connect(url, autocommit=True) as lonely:
                lonely.execute("CREATE EXTENSION citus")
            yield url
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
