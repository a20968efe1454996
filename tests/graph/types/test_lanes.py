"""Scope of a batch: its paginated lanes, its days and its progress."""

from tests.support.batches.uploads import VALID_ITEM
from tests.support.fixtures.server import Json, running_worker
from tests.support.fixtures.subscriptions import Watched
from tests.support.http.subscriptions import upload

BATCH = """query ($id: ID!, $after: String) { batch(id: $id) {
    status progress laneCount firstDay lastDay
    lanes(first: 2, after: $after) {
      totalCount pageInfo { hasNextPage endCursor }
      edges { node { origin { code } destination { code parent { slug } } } }
    } } }"""


def lanes(batch: Json) -> list[tuple[str, str]]:
    """Return the lanes of the page."""
    nodes = [edge["node"] for edge in batch["lanes"]["edges"]]
    return [(node["origin"]["code"], node["destination"]["code"]) for node in nodes]


def test_batch_lanes_and_days_are_listed_before_and_after_a_revert(watched: Watched) -> None:
    ports = ("CNSGH", "NLRTM", "USNYC")
    ends = [(origin, destination) for origin in ports for destination in ports if origin != destination][:3]
    items = [{**VALID_ITEM, "origin": origin, "destination": destination} for origin, destination in ends]
    late = {**VALID_ITEM, "dateFrom": "2024-03-05", "dateTo": None}
    with running_worker(watched.database_url):
        batch_id = upload(watched, *items, late, wait_ms=30_000)
    for status in ("APPLIED", "REVERTED"):
        first = watched.client.ask(BATCH, id=batch_id)["batch"]
        assert (first["status"], first["progress"], first["laneCount"]) == (status, 1, 3)
        assert (first["firstDay"], first["lastDay"]) == ("2024-01-01", "2024-03-05")
        assert (first["lanes"]["totalCount"], first["lanes"]["pageInfo"]["hasNextPage"]) == (3, True)
        second = watched.client.ask(BATCH, id=batch_id, after=first["lanes"]["pageInfo"]["endCursor"])["batch"]
        assert not second["lanes"]["pageInfo"]["hasNextPage"]
        assert sorted(lanes(first) + lanes(second)) == sorted(ends)
        watched.revert(batch_id)


def test_batch_lanes_and_days_are_empty_for_a_rejected_batch(watched: Watched) -> None:
    waiting = upload(watched, {**VALID_ITEM, "price": "x"})
    batch = watched.client.ask(BATCH, id=waiting)["batch"]
    assert (batch["status"], batch["progress"]) == ("QUEUED", 0)
    with running_worker(watched.database_url):
        rejected = upload(watched, {**VALID_ITEM, "price": "x"}, wait_ms=30_000)
    batch = watched.client.ask(BATCH, id=rejected)["batch"]
    assert (batch["status"], batch["progress"], batch["laneCount"]) == ("REJECTED", 1, 0)
    assert (batch["firstDay"], batch["lastDay"], lanes(batch), batch["lanes"]["totalCount"]) == (None, None, [], 0)


def test_batch_lanes_reject_an_invalid_page_size_or_cursor(watched: Watched) -> None:
    batch_id = upload(watched, VALID_ITEM)
    query = "query ($id: ID!, $first: Int!) { batch(id: $id) { lanes(first: $first) { totalCount } } }"
    assert watched.client.fail(query, id=batch_id, first=501)["extensions"]["code"] == "INVALID_PAGE_SIZE"
    assert watched.client.fail(BATCH, id=batch_id, after="bGFuZTp4")["extensions"]["code"] == "INVALID_CURSOR"
