"""Subscription operations and the transports that carry them."""

import pytest

from tests.support.batches.uploads import UPLOAD
from tests.support.fixtures.server import Json
from tests.support.fixtures.subscriptions import Watched
from tests.support.streams import TRANSPORTS

PROGRESS = "subscription ($id: ID!) { batchProgress(id: $id) { id status progress } }"


CHANGES = """subscription ($origin: String!, $destination: String!) {
  pricesChanged(origin: $origin, destination: $destination) { batch { number status } }
}"""


ASIA_TO_EUROPE = {"origin": "asia", "destination": "EUROPE "}


THERE, ELSEWHERE = ("CNSGH", "NLRTM"), ("CNSGH", "USNYC")


each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


def upload(watched: Watched, *items: Json, wait_ms: int = 0) -> str:
    """Upload items and return the number of the batch."""
    payload = watched.client.ask(UPLOAD, input={"prices": items, "waitMs": wait_ms})["uploadPrices"]
    return str(payload["batch"]["number"])
