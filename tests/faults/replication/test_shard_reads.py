"""Lanes read at the workers of a cluster: states, metrics, no answer older than an upload."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from pydantic import SecretStr

from db.pool import INGEST, connect
from ingest.distribution import distribute
from ingest.tree import change_tree
from tests.support.batches.uploads import UPLOAD
from tests.support.databases.citus import SHARDS, citus_schema
from tests.support.faults.shards import ShardedCluster
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.http.metrics import TOKEN, find, scrape
from tests.support.waiting import eventually
from tests.support.worlds import World

SECONDS = 60
PORTS = ["CNSGH", "NLRTM", "USNYC", "BRSSZ", "INNSA", "ZADUR"]
WORLD = World({"world": None} | dict.fromkeys(PORTS, "world"), set(PORTS))
LANES = [(origin, destination) for origin in ("world", *PORTS) for destination in ("world", "NLRTM")]
DAY = "2024-05-01"
FIELDS = [
    f'lane{number}: averagePrices(dateFrom: "{DAY}", dateTo: "{DAY}", origin: "{origin}", destination: "{destination}")'
    for number, (origin, destination) in enumerate(LANES)
]
QUERY = f"{{ {' '.join(f'{field} {{ priceCount }}' for field in FIELDS)} }}"
SHARD_OF_ORIGIN = """
SELECT p.shardid, n.nodename, n.nodeport, other.nodename, other.nodeport
FROM pg_dist_placement p
JOIN pg_dist_node n ON n.groupid = p.groupid
JOIN pg_dist_node other ON other.groupid NOT IN (0, p.groupid)
WHERE p.shardid = get_shard_id_for_distribution_column('price_totals', (SELECT id FROM locations WHERE key = %s))
LIMIT 1
"""


@contextmanager
def server_with_workers(database_url: str, workers: int = 2) -> Iterator[Client]:
    """Serve the database with reads at the workers, once they answer."""
    settings = {"citus_direct_reads": True, "metrics_token": SecretStr(TOKEN)}
    with running_server(database_url, writes_are_open=True, **settings) as client:
        wait_for_states(client, *["open"] * workers)
        yield client


def wait_for_states(client: Client, *states: str) -> None:
    """Wait until the workers are in these states."""

    def read_states() -> list[str]:
        lines = client.http.get("/readyz").text.splitlines()
        return [line.rpartition(": ")[2] for line in lines if line.startswith("Citus worker ")]

    eventually(lambda: read_states() == list(states), f"not {states}", SECONDS)


def count_reads(client: Client, server: str) -> float:
    """Return the number of reads of lanes that the coordinator or the workers have answered."""
    samples = scrape(str(client.http.base_url).rstrip("/"))
    return find(samples, "ratesgraph_shard_reads_total", server=server)


def read_counts(client: Client) -> dict[tuple[str, str], int]:
    """Return the number of prices of each lane."""
    data = client.ask(QUERY)
    return {lane: data[f"lane{number}"][0]["priceCount"] for number, lane in enumerate(LANES)}


async def fill(database_url: str, *, is_distributed: bool) -> None:
    """Create the tree, in tables that are distributed before."""
    async with connect(database_url, INGEST) as connection:
        if is_distributed:
            await distribute(connection, shards=SHARDS, report=lambda _step, _part: None)
        await change_tree(connection, WORLD.entries())


@pytest.fixture(scope="module")
def citus_url() -> Iterator[str]:
    """A cluster of Citus with the tree, whose tables are distributed."""
    with citus_schema() as url:
        asyncio.run(fill(url, is_distributed=True))
        yield url


def test_states_and_metrics_show_reads_at_workers(module_cluster: ShardedCluster) -> None:
    for server in module_cluster.servers:
        asyncio.run(fill(server.url, is_distributed=False))
    with server_with_workers(module_cluster.coordinator.url) as client:
        url = str(client.http.base_url).rstrip("/")
        assert set(read_counts(client).values()) == {0}
        assert count_reads(client, "worker") > 0
        assert find(scrape(url), "ratesgraph_shard_worker_state", state="open") == 2
        module_cluster.workers[0].crash()
        try:
            wait_for_states(client, "away", "open")
            samples = scrape(url)
            assert find(samples, "ratesgraph_shard_worker_state") == 2
            assert find(samples, "ratesgraph_shard_worker_state", state="away") == 1
        finally:
            module_cluster.workers[0].start()
        wait_for_states(client, "open", "open")


def test_server_without_the_setting_reads_at_no_worker(module_cluster: ShardedCluster) -> None:
    with running_server(module_cluster.coordinator.url) as client:
        assert client.http.get("/readyz").text == "ready\n"


def test_no_read_at_a_worker_is_older_than_an_upload(citus_url: str) -> None:
    with (
        running_worker(citus_url, concurrency=2),
        server_with_workers(citus_url) as client,
        server_with_workers(citus_url) as other,
        psycopg.connect(citus_url, autocommit=True) as connection,
    ):
        expected = dict.fromkeys(LANES, 0)
        for number in range(30):
            origin = PORTS[number % len(PORTS)]
            for destination in ("NLRTM", "BRSSZ"):
                if origin == destination:
                    continue
                item = {"dateFrom": DAY, "dateTo": DAY, "origin": origin, "destination": destination, "price": 100}
                payload = client.ask(UPLOAD, input={"prices": [item], "waitMs": 30_000})["uploadPrices"]
                assert payload["batch"]["status"] == "APPLIED"
                for lane in LANES:
                    expected[lane] += lane[0] in {origin, "world"} and lane[1] in {destination, "world"}
                assert read_counts(client) == expected
            if number % 10 == 5:
                row = connection.execute(SHARD_OF_ORIGIN, [PORTS[number % 3]]).fetchone()
                connection.execute("SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, 'block_writes')", row)
                assert read_counts(client) == expected
            wait_for_states(client, "open", "open")
            assert read_counts(client) == expected
        eventually(lambda: read_counts(other) == expected, "the other server does not follow")
        assert count_reads(client, "worker") > 0
