"""Histories of changes and reads at two servers: no read is older than the last reply."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.batches.uploads import UPLOAD
from tests.support.faults.replication import Pair
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.waiting import eventually

NAME = "Ratesgraph-Version"
FIRST_YEAR = 2030
ITEM = {"origin": "CNSGH", "destination": "NLRTM", "price": 100}
QUERY = """query ($day: Date!, $origin: String!) {
  averagePrices(dateFrom: $day, dateTo: $day, origin: $origin, destination: "NLRTM") { priceCount }
}"""
REVERT = "mutation ($id: ID!) { revertBatch(id: $id) { userErrors { code } } }"
MOVE = """mutation ($parent: String!) {
  moveLocation(key: "CNSGH", parentSlug: $parent) { userErrors { code } }
}"""
SERVERS = st.integers(0, 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("upload"), SERVERS),
        st.tuples(st.just("revert"), SERVERS),
        st.tuples(st.just("move"), SERVERS),
        st.tuples(st.just("pause"), SERVERS),
        st.tuples(st.just("resume"), SERVERS),
        st.tuples(st.just("read"), SERVERS),
        st.tuples(st.just("read uncached"), SERVERS),
    ),
    min_size=4,
    max_size=14,
)


class History:
    """Two servers, the changes that they acknowledged, and the data that follows from them.

    `parent` is the region of the port CNSGH, `batches` are the applied batches of the day.
    """

    def __init__(self, pair: Pair, servers: list[Client]) -> None:
        self.pair = pair
        self.servers = servers
        self.parent = "china"
        self.number = 0
        self.is_paused = False
        self.batches: list[str] = []
        self.token = ""

    def begin(self) -> None:
        """Begin the next history, on a day without prices."""
        self.number += 1
        self.batches.clear()

    @property
    def day(self) -> str:
        """Return the day of this history."""
        return f"{FIRST_YEAR + self.number // 300}-{1 + self.number % 12:02}-{1 + self.number % 25:02}"

    def change(self, server: int, query: str, **variables: object) -> dict[str, object]:
        """Run a mutation and take over its token."""
        response = self.servers[server].http.post("/graphql", json={"query": query, "variables": variables})
        data: dict[str, dict[str, object]] = response.json()["data"]
        self.token = response.headers[NAME]
        [payload] = data.values()
        assert payload["userErrors"] == []
        return payload

    def run(self, step: str, server: int) -> None:
        """Run a step. A read must show all acknowledged changes."""
        match step:
            case "upload":
                items = [ITEM | {"dateFrom": self.day, "dateTo": self.day}]
                payload = self.change(server, UPLOAD, input={"prices": items, "waitMs": 30_000})
                batch = payload["batch"]
                assert isinstance(batch, dict)
                assert batch["status"] == "APPLIED"
                self.batches.append(str(batch["id"]))
            case "revert" if self.batches:
                self.change(server, REVERT, id=self.batches.pop())
            case "move":
                self.parent = "europe" if self.parent == "china" else "china"
                self.change(server, MOVE, parent=self.parent)
            case "pause" if not self.is_paused:
                self.pair.pause_replay()
                self.is_paused = True
            case "resume" if self.is_paused:
                self.pair.resume_replay()
                self.is_paused = False
            case "read" | "read uncached":
                self.read(server, is_cached=step == "read")

    def read(self, server: int, *, is_cached: bool) -> None:
        """Compare the prices of port and regions with the acknowledged changes."""
        headers = ({NAME: self.token} if self.token else {}) | ({} if is_cached else {"GraphQL-Cost": "report"})
        expected = {"CNSGH": len(self.batches), self.parent: len(self.batches)}
        expected |= {other: 0 for other in ("china", "europe") if other != self.parent}
        for origin, count in expected.items():
            body = {"query": QUERY, "variables": {"day": self.day, "origin": origin}}
            response = self.servers[server].http.post("/graphql", json=body, headers=headers)
            assert response.json()["data"]["averagePrices"] == [{"priceCount": count}], (origin, response.headers)


@pytest.fixture(scope="module")
def history(module_pair: Pair) -> Iterator[History]:
    """Yield a history at two servers with the same replica."""
    with ExitStack() as stack:
        stack.enter_context(running_worker(module_pair.primary.url))
        servers = [
            stack.enter_context(running_server(module_pair.primary.url, read_urls=module_pair.standby.url))
            for _ in range(2)
        ]
        for server in servers:
            eventually(lambda server=server: "replica 1: open" in server.http.get("/readyz").text, "not open", 60)  # type: ignore[misc]
        yield History(module_pair, servers)
        module_pair.resume_replay()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_read_at_any_server_is_never_older_than_what_was_acknowledged(
    history: History, steps: list[tuple[str, int]]
) -> None:
    history.begin()
    for step, server in steps:
        history.run(step, server)
    for server in (0, 1):
        history.read(server, is_cached=True)
        history.read(server, is_cached=False)
