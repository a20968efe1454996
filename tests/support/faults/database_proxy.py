"""A proxy between the server and its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.faults.proxy import Proxy, running_proxy


@contextmanager
def running_database_proxy(database_url: str) -> Iterator[tuple[Proxy, str]]:
    """Yield a proxy in front of PostgreSQL, and the URL of the database through it."""
    known = conninfo_to_dict(database_url)
    port = known.get("port") or 5432
    with running_proxy(Path(str(known["host"])) / f".s.PGSQL.{port}") as proxy:
        yield proxy, make_conninfo(database_url, host="127.0.0.1", port=proxy.port)
