"""Response caches of several processes during uploads: read-your-writes and monotonic reads."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.support.batches.uploads import AVERAGES, UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import JSON, running_worker
from tests.support.http.response_cache import cache_status
from tests.support.http.server_process import serving
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

PROCESSES = 3
UPLOADERS, UPLOADS, READERS = 2, 6, 6
PRICES = 3
"""Prices per upload and day."""
FOLLOWED_WITHIN_SECONDS = 5.0
"""It takes milliseconds. This is for a machine that does many other things."""


@pytest.fixture
def server(database_url: str) -> Iterator[str]:
    """Yield the URL of a server with several processes and a worker."""
    create_locations(database_url)
    with (
        running_worker(database_url),
        serving(database_url, "--workers", str(PROCESSES)) as (_, url),
    ):
        with psycopg.connect(database_url, autocommit=True) as connection:
            # A process that still starts would leave all requests to the others.
            eventually(lambda: count_followers(connection) == PROCESSES, "not all processes listen")
        yield url


def count_followers(connection: psycopg.Connection[tuple[int]]) -> int:
    """Return the number of processes that listen for data changes."""
    # A process repeats LISTEN for its first channel every second.
    query = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE ANY ('{LISTEN ratesgraph_batches%,LISTEN ratesgraph_data%}')
    """
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def connect(url: str) -> httpx.Client:
    """Return a client with one connection, so that all its requests reach the same process."""
    limits = httpx.Limits(max_connections=1)
    return httpx.Client(base_url=url, timeout=DEADLINE_SECONDS, headers=JSON, limits=limits)


def read_price_count(client: httpx.Client) -> tuple[int, httpx.Response]:
    """Return the price count of the first day and the response."""
    response = client.get("/graphql", params={"query": AVERAGES})
    first, second = response.json()["data"]["averagePrices"]
    # Every batch covers both days, so a consistent snapshot has equal counts.
    assert first == second
    return first["priceCount"], response


def upload(client: httpx.Client, token: str) -> None:
    """Upload prices and wait until they are applied."""
    variables = {"input": {"prices": [VALID_ITEM] * PRICES, "waitMs": 30_000}}
    answer = client.post(
        "/graphql", json={"query": UPLOAD, "variables": variables}, headers=authorization_header(token)
    ).json()
    assert answer["data"]["uploadPrices"]["batch"]["status"] == "APPLIED", answer


def test_cache_shows_uploads_at_once_in_one_process_and_soon_in_all(server: str, database_url: str) -> None:
    token = create_api_token(database_url, "upload")
    applied: list[float] = []
    """Times at which the response to each upload arrived."""
    stop = threading.Event()

    def keep_uploading(_: int) -> None:
        with connect(server) as client:
            for number in range(1, UPLOADS + 1):
                upload(client, token)
                applied.append(time.monotonic())
                # Own uploads are visible. Another process may have answered the other uploads.
                assert read_price_count(client)[0] >= number * PRICES

    def keep_reading(_: int) -> int:
        hits, newest = 0, 0
        with connect(server) as client:
            while not stop.is_set():
                due = time.monotonic() - FOLLOWED_WITHIN_SECONDS
                expected = PRICES * sum(moment <= due for moment in list(applied))
                count, response = read_price_count(client)
                assert count >= max(newest, expected)
                newest = count
                hits += cache_status(response) == "ratesgraph; hit"
        return hits

    with ThreadPoolExecutor(UPLOADERS + READERS) as threads:
        readers = [threads.submit(keep_reading, number) for number in range(READERS)]
        try:
            list(threads.map(keep_uploading, range(UPLOADERS)))
            # Every process must show all of them now.
            time.sleep(FOLLOWED_WITHIN_SECONDS + 0.5)
        finally:
            stop.set()
        # Without cache hits the test would prove nothing about the cache.
        assert all(reader.result() for reader in readers)

    total = PRICES * UPLOADERS * UPLOADS
    tags = set()
    for _ in range(4 * PROCESSES):
        with connect(server) as client:
            eventually(lambda client=client: read_price_count(client)[0] == total, "an upload is missing")  # type: ignore[misc]
            tags.add(read_price_count(client)[1].headers["etag"])
    assert len(tags) == 1
