"""A cluster of three real servers with the catalogs of Citus, but without Citus.

The tables are not distributed: each server has the same rows. Origins belong to the first or the second worker by the parity of
their ID. Citus itself is tried where a cluster is named (`tests.support.databases.citus`).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from db.embedded.cluster import PORT, cluster_in
from db.migrate import migrate
from tests.chaos.database import crashable_server
from tests.support.databases.memory import temporary_folder
from tests.support.faults.replication import ReplicatedServer

CATALOGS = """
CREATE TABLE pg_dist_local_group (groupid integer NOT NULL);
CREATE TABLE pg_dist_shard (logicalrelid regclass, shardid bigint, shardminvalue text, shardmaxvalue text);
CREATE TABLE pg_dist_placement (shardid bigint, groupid integer);
CREATE TABLE pg_dist_node (
    groupid integer, nodename text, nodeport integer, isactive boolean, noderole text, metadatasynced boolean
);
CREATE TABLE reached_systems (nodename text, nodeport integer, success boolean, result text);
INSERT INTO pg_dist_shard VALUES ('price_totals', 100, '-2147483648', '-1'), ('price_totals', 101, '0', '2147483647');
INSERT INTO pg_dist_placement VALUES (100, 1), (101, 2);
CREATE FUNCTION get_shard_id_for_distribution_column(regclass, integer) RETURNS bigint LANGUAGE sql AS
    'SELECT 100 + $2 % 2';
CREATE FUNCTION run_command_on_shards(regclass, command text, OUT shardid bigint, OUT success boolean, OUT result text)
    RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    FOR shardid IN SELECT s.shardid FROM pg_dist_shard s WHERE s.logicalrelid = $1 LOOP
        BEGIN
            EXECUTE format(command, $1::text || '_' || shardid) INTO result;
            success := true;
        EXCEPTION WHEN OTHERS THEN
            success := false;
            result := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE FUNCTION run_command_on_workers(text) RETURNS SETOF reached_systems LANGUAGE sql AS
    'SELECT * FROM reached_systems';
"""


@dataclass(frozen=True, slots=True)
class ShardedCluster:
    """A coordinator and two workers, whose groups are 1 and 2."""

    coordinator: ReplicatedServer
    workers: tuple[ReplicatedServer, ReplicatedServer]

    @property
    def servers(self) -> tuple[ReplicatedServer, ...]:
        """Return all servers, the coordinator first."""
        return self.coordinator, *self.workers

    def run(self, *servers: ReplicatedServer, statement: str) -> None:
        """Execute a statement on the servers."""
        for server in servers:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(statement.encode())

    def register(self) -> None:
        """Write the addresses of the workers into the catalogs of the coordinator."""
        with psycopg.connect(self.coordinator.url, autocommit=True) as connection:
            connection.execute("TRUNCATE pg_dist_node, reached_systems")
            for group, worker in enumerate(self.workers, start=1):
                address = str(worker.cluster.socket_dir), PORT
                system = worker.fetch_value("SELECT system_identifier FROM pg_control_system()")
                connection.execute(
                    "INSERT INTO pg_dist_node VALUES (%s, %s, %s, true, 'primary', true)", [group, *address]
                )
                connection.execute("INSERT INTO reached_systems VALUES (%s, %s, true, %s)", [*address, str(system)])

    def place(self, *groups: int) -> None:
        """Move the two shards to these groups, in the catalogs of all servers."""
        for server in self.servers:
            self.place_at(server, *groups)

    def place_at(self, server: ReplicatedServer, *groups: int) -> None:
        """Move the two shards to these groups, in the catalogs of one server."""
        with psycopg.connect(server.url) as connection:
            for shard, group in enumerate(groups, start=100):
                connection.execute("UPDATE pg_dist_placement SET groupid = %s WHERE shardid = %s", [group, shard])


@contextmanager
def prepared_change(server: ReplicatedServer, name: str) -> Iterator[None]:
    """Leave a transaction of Citus prepared on the server for the block."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        identifier = sql.Literal(f"citus_{name}")
        connection.execute("BEGIN")
        connection.execute("SELECT pg_current_xact_id()")
        connection.execute(sql.SQL("PREPARE TRANSACTION {}").format(identifier))
        try:
            yield
        finally:
            connection.execute(sql.SQL("COMMIT PREPARED {}").format(identifier))


@pytest.fixture(scope="module")
def module_cluster() -> Iterator[ShardedCluster]:
    """Yield a cluster that the tests of a module share and leave as it is."""
    with temporary_folder() as folder, ExitStack() as stack:
        servers = [_start(stack, folder / name) for name in ("coordinator", "first", "second")]
        cluster = ShardedCluster(servers[0], (servers[1], servers[2]))
        for group, server in enumerate(servers):
            migrate(server.url)
            cluster.run(server, statement=CATALOGS)
            cluster.run(server, statement=f"INSERT INTO pg_dist_local_group VALUES ({group})")
        cluster.register()
        yield cluster


def _start(stack: ExitStack, folder: Path) -> ReplicatedServer:
    folder.mkdir()
    stack.enter_context(crashable_server(folder))
    server = ReplicatedServer(cluster_in(folder))
    server.set_parameter("max_prepared_transactions", "10")
    server.stop()
    server.start()
    return server
