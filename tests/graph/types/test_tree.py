"""Changes of the region tree over real HTTP, while batches are applied concurrently."""

import threading
from collections.abc import Iterator

import pytest

from tests.support.batches.mutations import ANSWER, MOVE
from tests.support.batches.uploads import VALID_ITEM, create_locations, upload
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client, Json, running_server, running_worker

REGIONS = f"mutation ($regions: [RegionInput!]!) {{ change: upsertRegions(regions: $regions) {ANSWER} }}"
PORTS = f"mutation ($ports: [PortInput!]!) {{ change: upsertPorts(ports: $ports) {ANSWER} }}"
A = {"slug": "a", "name": "A"}
TREE = "{ locations(first: 100) { edges { node { key name parent { slug } } } } }"


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """A server over two ports, one below `europe` and one below `china`, and a worker."""
    create_locations(database_url)
    with running_worker(database_url), running_server(database_url) as client:
        yield client


def count(client: Client, origin: str, destination: str) -> int:
    """Return the number of prices between two places on the first day."""
    query = """query ($origin: String!, $destination: String!) {
      averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: $origin, destination: $destination) { priceCount }
    }"""
    days = client.ask(query, origin=origin, destination=destination)["averagePrices"]
    return int(days[0]["priceCount"])


def test_region_tree_adds_a_region_and_moves_a_port_with_its_prices(client: Client, database_url: str) -> None:
    upload(client, VALID_ITEM, VALID_ITEM)
    region = {"slug": " Benelux ", "name": "Benelux", "parentSlug": "EUROPE"}
    change = client.ask(REGIONS, regions=[region])["change"]
    assert change == {
        "locations": [{"key": "benelux", "name": "Benelux", "parent": {"slug": "europe"}}],
        "addedCount": 1,
        "movedCount": 0,
        "userErrors": [],
    }
    change = client.ask(MOVE, key="nlrtm", parent="benelux")["change"]
    assert change["locations"] == [{"key": "NLRTM", "name": "Name of NLRTM", "parent": {"slug": "benelux"}}]
    assert change["movedCount"] == 1
    assert [count(client, "china", place) for place in ("benelux", "europe", "NLRTM")] == [2, 2, 2]
    client.ask(MOVE, key="benelux")
    assert [count(client, "china", place) for place in ("benelux", "europe", "NLRTM")] == [2, 0, 2]
    rotterdam = {"code": "NLRTM", "name": "Rotterdam", "parentSlug": "europe"}
    antwerp = {"code": "be anr", "name": "Antwerpen", "parentSlug": "benelux"}
    change = client.ask(PORTS, ports=[rotterdam, antwerp])["change"]
    assert (change["addedCount"], change["movedCount"]) == (1, 1)
    assert [count(client, "china", place) for place in ("benelux", "europe", "NLRTM")] == [0, 2, 2]
    ratesgraph_in_process(database_url, "verify")


@pytest.mark.parametrize(
    ("query", "variables", "code", "item"),
    [
        (REGIONS, {"regions": [A, {"slug": "b", "name": "B", "parentSlug": "c"}]}, "UNKNOWN_PARENT", 2),
        (REGIONS, {"regions": [{"slug": "europe", "name": "E", "parentSlug": "europe"}]}, "REGION_CYCLE", 1),
        (REGIONS, {"regions": [{"slug": "nlrtm", "name": "E"}]}, "LOCATION_CLASH", 1),
        (REGIONS, {"regions": [{"slug": "a b", "name": "A"}]}, "INVALID_SLUG", 1),
        (REGIONS, {"regions": [{"slug": "a", "name": "A\x00"}]}, "INVALID_NAME", 1),
        (REGIONS, {"regions": []}, "EMPTY_BATCH", None),
        (PORTS, {"ports": [{"code": "DEHAM", "name": "H", "parentSlug": ""}]}, "UNKNOWN_PARENT", 1),
        (PORTS, {"ports": [{"code": "DEHAM", "name": "H", "parentSlug": "NLRTM"}]}, "UNKNOWN_PARENT", 1),
        (PORTS, {"ports": [{"code": "europe", "name": "H", "parentSlug": "china"}]}, "INVALID_CODE", 1),
        (MOVE, {"key": "nowhere", "parent": "europe"}, "UNKNOWN_LOCATION", None),
        (MOVE, {"key": "NLRTM", "parent": "no\x00where"}, "UNKNOWN_PARENT", 1),
        (MOVE, {"key": "NLRTM"}, "UNKNOWN_PARENT", 1),
        (MOVE, {"key": "europe", "parent": "europe"}, "REGION_CYCLE", 1),
    ],
)  # fmt: skip
def test_region_tree_reports_invalid_changes_as_user_errors_and_stays_unchanged(
    client: Client, query: str, variables: Json, code: str, item: int | None
) -> None:
    before = client.ask(TREE)
    (error,) = client.ask(query, **variables)["change"]["userErrors"]
    assert (error["code"], error["item"]) == (code, item)
    assert client.ask(TREE) == before


def test_region_tree_moves_concurrent_with_uploads_leave_totals_correct(client: Client, database_url: str) -> None:
    def send() -> None:
        for _ in range(10):
            upload(client, *[VALID_ITEM] * 5)

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    for number in range(20):
        client.ask(MOVE, key="NLRTM", parent=("china", "europe")[number % 2])
    for sender in senders:
        sender.join()
    assert [count(client, "china", place) for place in ("china", "europe", "NLRTM")] == [0, 100, 100]
    ratesgraph_in_process(database_url, "verify")


def test_region_tree_changes_without_a_token_are_rejected(database_url: str) -> None:
    create_locations(database_url)
    with running_server(database_url, writes_are_open=False) as client:
        before = client.ask(TREE)
        regions, ports = [{"slug": "a", "name": "A"}], [{"code": "DEHAM", "name": "H", "parentSlug": "europe"}]
        for query, variables in ((REGIONS, {"regions": regions}), (PORTS, {"ports": ports}), (MOVE, {"key": "NLRTM"})):
            assert client.fail(query, **variables)["extensions"]["code"] == "UNAUTHENTICATED"
        assert client.ask(TREE) == before
