"""Failovers: a server that has become read-only counts as lost, and its successor is found."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from db.errors import ConnectionLost, ReadOnlyServer, driver_errors
from tests.support.faults.proxy import running_proxy
from tests.support.faults.replication import Pair
from tests.support.faults.uploaders import Uploads, read_outcomes, uploading
from tests.support.fixtures.server import JSON, Client, running_server, running_worker
from tests.support.waiting import DEADLINE_SECONDS, eventually

WAIT_SECONDS = 0.5
"""A short wait, so that uploads are refused during the failover. With the default, most would wait for its end."""
UPLOADERS = 4
DAY = """{
  averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "CNSGH", destination: "NLRTM") { priceCount }
}"""

CHANGE_TREE = 'mutation { upsertRegions(regions: [{slug: "far", name: "Far"}]) { userErrors { code } } }'
COUNT = """
SELECT count(*)
FROM prices JOIN locations o ON o.id = origin JOIN locations d ON d.id = destination
WHERE o.key = 'CNSGH' AND d.key = 'NLRTM' AND '2024-01-01' BETWEEN first_day AND last_day
"""


def readiness(client: Client) -> tuple[int, str]:
    """Return the status and the first line of the readiness probe."""
    answer = client.http.get("/readyz")
    return answer.status_code, answer.text.splitlines()[0]


def read_day(client: Client) -> tuple[int | None, str]:
    """Return the number of prices of a day, or None without an answer, and the `Cache-Status`."""
    answer = client.http.get("/graphql", params={"query": DAY}, headers=JSON)
    if answer.status_code != 200:
        return None, ""
    return answer.json()["data"]["averagePrices"][0]["priceCount"], answer.headers.get("cache-status", "")


def change_tree(client: Client) -> tuple[int, bool]:
    """Change the region tree, which uses the pool of direct connections.

    Return the status, and whether the response has errors.
    """
    answer = client.http.post("/graphql", json={"query": CHANGE_TREE})
    return answer.status_code, "errors" in answer.json()


def check_applied_once(database_url: str, uploads: Uploads) -> None:
    """Check that each acknowledged upload is applied once, in one counted attempt."""

    def all_have_ended() -> bool:
        return all(status not in {"QUEUED", "RUNNING"} for status, _, _ in read_outcomes(database_url).values())

    eventually(all_have_ended, "a batch does not end", 3 * DEADLINE_SECONDS)
    assert read_outcomes(database_url) == dict.fromkeys(uploads.stored, ("APPLIED", 1, 1))
    assert len(set(uploads.stored.values())) == len(uploads.stored)


def test_uploads_are_refused_during_a_switchover_and_succeed_afterwards(pair: Pair) -> None:
    with (
        running_server(pair.url, database_wait_seconds=WAIT_SECONDS) as client,
        running_worker(pair.url, concurrency=2),
    ):
        with uploading(client, UPLOADERS) as uploads:
            uploads.wait_for(20)
            assert uploads.unexpected == []
            pair.primary.stop()
            # Only the standby can be reached.
            eventually(lambda: readiness(client) == (503, str(ReadOnlyServer())), "the server remains ready")
            eventually(lambda: uploads.answers[-1].is_refused, "uploads are not refused")
            pair.standby.promote()
            pair.primary.follow(pair.standby)
            uploads.wait_for(40)
            assert readiness(client) == (200, "ready")
        assert uploads.unexpected == []
        check_applied_once(pair.standby.url, uploads)


def test_fenced_primary_is_left_for_its_successor_at_the_same_address(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    with running_proxy(pair.primary.socket) as proxy:
        address = make_conninfo(pair.primary.url, host="127.0.0.1", port=proxy.port)
        with (
            running_server(address, database_wait_seconds=WAIT_SECONDS) as client,
            running_worker(address, concurrency=2),
        ):
            eventually(lambda: "hit" in read_day(client)[1], "nothing is cached")
            with uploading(client, UPLOADERS) as uploads:
                assert change_tree(client) == (200, False)
                uploads.wait_for(20)
                # All connections stay open, and the old primary goes on answering reads.
                pair.primary.fence()
                eventually(lambda: uploads.answers[-1].is_refused, "uploads are not refused")
                assert readiness(client) == (503, str(ReadOnlyServer()))
                assert change_tree(client) == (503, True)
                # Queries are not answered either: the data of the old primary may be out of date.
                eventually(lambda: read_day(client) == (None, ""), "queries are still answered")
                pair.wait_until_replicated()
                pair.standby.promote()
                proxy.server = pair.standby.socket
                uploads.wait_for(40)
                assert readiness(client) == (200, "ready")
                eventually(lambda: change_tree(client) == (200, False), "the region tree cannot be changed")
            assert uploads.unexpected == []
            check_applied_once(pair.standby.url, uploads)
            # Notifications come from the new primary: responses are cached again, until the next change.
            eventually(lambda: "hit" in read_day(client)[1], "nothing is cached")
            cached = read_day(client)[0]
            assert cached == pair.standby.fetch_value(COUNT)
            with uploading(client, 1, "late") as late_uploads:
                late_uploads.wait_for(1)
            eventually(lambda: read_day(client)[0] != cached, "the response is out of date")
    # However many uploads failed at once, each of the three pools was replaced once: two of the server, one of the worker.
    assert caplog.text.count("database is available again") == 3


def test_read_only_database_is_used_again_as_soon_as_it_accepts_writes(pair: Pair) -> None:
    url = pair.primary.url
    with running_server(url, database_wait_seconds=WAIT_SECONDS) as client, running_worker(url):
        with uploading(client, UPLOADERS) as uploads:
            for _ in range(2):
                uploads.wait_for(5)
                pair.primary.fence()
                eventually(lambda: uploads.answers[-1].is_refused, "uploads are not refused")
                pair.primary.fence(is_read_only=False)
            uploads.wait_for(5)
        assert uploads.unexpected == []
        check_applied_once(url, uploads)


def test_connection_that_the_server_ends_for_any_reason_counts_as_lost(pair: Pair) -> None:
    with psycopg.connect(pair.primary.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE dropped")
        pair.wait_until_replicated()
        with psycopg.connect(make_conninfo(pair.standby.url, dbname="dropped"), autocommit=True) as reader:
            # The standby ends the connection with an error of its own (SQLSTATE 57P04).
            connection.execute("DROP DATABASE dropped")
            pair.wait_until_replicated()
            with pytest.raises(ConnectionLost), driver_errors():
                reader.execute("SELECT 1")
