"""Read replicas under faults: no stale answer is cached, and no read fails."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from pydantic import SecretStr

from tests.support.batches.uploads import UPLOAD
from tests.support.faults.readers import Readings, reading
from tests.support.faults.replication import Pair
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.http.metrics import TOKEN, find, scrape
from tests.support.http.response_cache import cache_status
from tests.support.waiting import eventually

READERS = 8
SECONDS = 60
ITEM = {"dateFrom": "2024-05-01", "dateTo": "2024-05-01", "origin": "CNSGH", "destination": "NLRTM", "price": 100}
MONTH = 'dateFrom: "2024-01-01", dateTo: "2024-01-31"'
LANE = 'origin: "china", destination: "NLRTM"'
DAY = """{
  averagePrices(dateFrom: "2024-05-01", dateTo: "2024-05-01", origin: "china", destination: "europe") { priceCount }
}"""


@contextmanager
def server_with_replica(pair: Pair, *, replica_lag: float = 5, cache_bytes: int = 64_000_000) -> Iterator[Client]:
    """Serve the primary with its standby as read replica, once that answers reads."""
    options = {"replica_lag": replica_lag, "cache_bytes": cache_bytes, "metrics_token": SecretStr(TOKEN)}
    with running_server(pair.primary.url, writes_are_open=True, read_urls=pair.standby.url, **options) as client:
        wait_for_state(client, "open")
        yield client


def reading_all(client: Client, pair: Pair) -> AbstractContextManager[Readings]:
    """Read until the end of the block; each response is compared with the expected one."""
    return reading(str(client.http.base_url), pair.cases, persistent=READERS, short_lived=0)


def wait_for_state(client: Client, *states: str) -> None:
    """Wait until the replica is in one of the states."""
    lines = {f"read replica 1: {state}" for state in states}
    eventually(
        lambda: not lines.isdisjoint(client.http.get("/readyz").text.splitlines()),
        f"not {' or '.join(states)}",
        SECONDS,
    )


def upload_applied(client: Client) -> None:
    """Upload a price and wait until it is applied."""
    payload = client.ask(UPLOAD, input={"prices": [ITEM], "waitMs": 30_000})["uploadPrices"]
    assert payload["batch"]["status"] == "APPLIED"


def read_count(client: Client) -> tuple[int, str]:
    """Return the number of prices of the uploaded day, and the cache status."""
    response = client.http.get("/graphql", params={"query": DAY})
    count: int = response.json()["data"]["averagePrices"][0]["priceCount"]
    return count, cache_status(response)


QUESTIONS = [
    f"{{ averagePrices({MONTH}, {LANE}) {{ day averagePrice priceCount lowPrice medianPrice highPrice }} }}",
    f"{{ priceSeries(lanes: [{{ {LANE} }}], {MONTH}, interval: WEEK) {{ lanes {{ averages percentile(at: 90) }} }} }}",
    f'{{ benchmark({LANE}, price: 300, dateFrom: "2024-01-01") {{ count percentileRank }} }}',
    f"{{ coverage({LANE}) {{ firstDay lastDay gapCount }} }}",
    "{ dataPeriod { firstDay lastDay } }",
    f'{{ laneMatrix(origins: ["china"], destinations: ["europe"], {MONTH}) {{ currency }} }}',
    "{ lanes { totalCount edges { node { origin { key } destination { key } } } } }",
    '{ exchangeRates(currency: "EUR", from: "2024-01-01", to: "2024-01-02") { day } }',
    '{ location(key: "CNSGH") { key name ... on Port { parent { key } } } }',
    '{ region(slug: "asia") { key children { key } } }',
    "{ locations { totalCount edges { node { key } } } }",
    '{ locations(search: "chi") { edges { node { key } } } }',
    f'{{ averagePrices({MONTH}, origin: "CNSGX", destination: "europe") {{ day }} }}',
]
"""Each question about prices and locations, statistics and errors included."""


def reads_at(client: Client, server: str) -> float:
    """Return the number of reads that the primary or the replica has answered."""
    return find(scrape(str(client.http.base_url).rstrip("/")), "ratesgraph_reads_total", server=server)


def test_replica_answers_every_question_about_prices_and_locations(module_pair: Pair) -> None:
    with server_with_replica(module_pair) as client, running_server(module_pair.primary.url) as other:
        primary, replica = reads_at(client, "primary"), reads_at(client, "replica")
        for question in QUESTIONS:
            answer = client.post(question)
            assert answer == other.post(question)
            assert "GRAPHQL_VALIDATION_FAILED" not in str(answer)
        assert reads_at(client, "primary") == primary
        assert reads_at(client, "replica") >= replica + len(QUESTIONS)


def test_metrics_show_state_and_lag_of_a_replica(pair: Pair) -> None:
    with running_worker(pair.primary.url), server_with_replica(pair, replica_lag=0.2) as client:
        url = str(client.http.base_url).rstrip("/")
        assert find(scrape(url), "ratesgraph_replica_state", replica="1", state="open") == 1
        assert find(scrape(url), "ratesgraph_replica_lag_seconds", replica="1") == 0
        pair.pause_replay()
        upload_applied(client)
        wait_for_state(client, "lagging")
        samples = scrape(url)
        assert find(samples, "ratesgraph_replica_state", replica="1") == 1
        assert find(samples, "ratesgraph_replica_state", replica="1", state="lagging") == 1
        assert find(samples, "ratesgraph_replica_lag_seconds", replica="1") > 0.2


def test_replica_behind_an_upload_never_puts_older_data_into_the_cache(pair: Pair) -> None:
    with running_worker(pair.primary.url), server_with_replica(pair, replica_lag=0.5) as client:
        assert read_count(client) == (0, "ratesgraph; fwd=miss")
        pair.pause_replay()
        upload_applied(client)
        assert read_count(client)[0] == 1
        assert read_count(client) == (1, "ratesgraph; hit")
        wait_for_state(client, "lagging")
        assert read_count(client) == (1, "ratesgraph; hit")
        pair.resume_replay()
        wait_for_state(client, "open")
        assert read_count(client) == (1, "ratesgraph; hit")
        pair.pause_replay()
        upload_applied(client)
        assert read_count(client)[0] == 2
        pair.resume_replay()
        wait_for_state(client, "open")
        upload_applied(client)
        assert read_count(client)[0] == 3


def test_replica_that_crashes_and_returns_fails_no_read(pair: Pair) -> None:
    with server_with_replica(pair, cache_bytes=0) as client, reading_all(client, pair) as readings:
        readings.wait_for(100)
        for _ in range(3):
            pair.standby.crash()
            wait_for_state(client, "away")
            readings.wait_for(50)
            pair.standby.start()
            wait_for_state(client, "open")
            readings.wait_for(50)
        assert readings.incorrect == []


def test_replica_that_hangs_fails_no_read(pair: Pair) -> None:
    with server_with_replica(pair, cache_bytes=0) as client, reading_all(client, pair) as readings:
        readings.wait_for(100)
        with pair.standby.suspended():
            wait_for_state(client, "away")
            readings.wait_for(100)
        wait_for_state(client, "open")
        readings.wait_for(50)
    assert readings.incorrect == []


def test_promoted_replica_answers_no_further_read(pair: Pair) -> None:
    with (
        running_worker(pair.primary.url),
        server_with_replica(pair, cache_bytes=0) as client,
        reading_all(client, pair) as readings,
    ):
        readings.wait_for(100)
        pair.standby.promote()
        wait_for_state(client, "refused")
        upload_applied(client)
        assert read_count(client)[0] == 1
        readings.wait_for(50)
    assert readings.incorrect == []
