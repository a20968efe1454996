"""`serverStatus`: queue, workers, database and exchange rates."""

import asyncio
from datetime import date
from importlib.metadata import version

import pytest

from db.pool import INGEST, connect
from ingest.exchange_rates.ecb import load_ecb_rates
from tests.support.batches.uploads import create_locations
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

STATUS = """{
  serverStatus {
    version queuedBatches runningBatches oldestBatchSeconds endedLastHour workers databaseBytes newestRateDay
  }
}"""
UPLOAD = """mutation {
  uploadPrices(input: { waitMs: 0, prices: [{ dateFrom: "2024-01-01", origin: "CNSGH", destination: "NLRTM", price: 1 }] }) {
    batch { number }
  }
}"""


def ask_status(client: Client) -> Json:
    """Return the status."""
    found: Json = client.ask(STATUS)["serverStatus"]
    return found


def test_server_status_of_an_empty_installation(client: Client) -> None:
    status = ask_status(client)
    assert status.pop("databaseBytes") > 1_000_000
    assert status == {
        "version": version("ratesgraph"),
        "queuedBatches": 0,
        "runningBatches": 0,
        "oldestBatchSeconds": 0.0,
        "endedLastHour": 0,
        "workers": 0,
        "newestRateDay": None,
    }


def test_server_status_counts_batches_and_workers(database_url: str) -> None:
    create_locations(database_url)
    with running_server(database_url) as client:
        client.ask(UPLOAD)
        status = ask_status(client)
        assert (status["queuedBatches"], status["workers"]) == (1, 0)
        assert status["oldestBatchSeconds"] > 0
        with running_worker(database_url), running_worker(database_url):
            eventually(lambda: ask_status(client)["workers"] == 2, "the workers were not seen")
            eventually(lambda: ask_status(client)["endedLastHour"] == 1, "the batch did not end")
        eventually(lambda: ask_status(client)["workers"] == 0, "the workers are still seen")


def test_server_status_names_the_newest_rate(database_url: str, client: Client) -> None:
    async def load() -> None:
        async with connect(database_url, INGEST) as connection:
            await load_ecb_rates(connection)

    asyncio.run(load())
    assert date.fromisoformat(ask_status(client)["newestRateDay"]) > date(2024, 1, 1)


@pytest.mark.parametrize("scope", ["read", "upload"])
def test_server_status_is_for_admins(database_url: str, scope: str) -> None:
    token = create_api_token(database_url, scope)
    with running_server(database_url, writes_are_open=False) as client:
        client.http.headers.update(authorization_header(token))
        assert client.fail(STATUS)["extensions"]["code"] == "FORBIDDEN"
