"""Dry runs over real HTTP: they predict the result of the upload and change nothing."""

import asyncio
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from db.administration.access import SQL
from db.notifications import BATCHES, DATA, QUEUE
from db.pool import INGEST, connect
from ingest.exchange_rates.ecb import load_ecb_rates
from tests.support.batches.uploads import INVALID_ITEMS, VALID_ITEM, create_locations, price_counts
from tests.support.databases.dumps import dump
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.waiting import DEADLINE_SECONDS

UPLOAD = """
mutation ($input: UploadPricesInput!) {
  uploadPrices(input: $input) {
    replayed
    batch { status itemCount acceptedCount rejectedCount priceDayCount }
    userErrors { item field code message value }
    warnings { item field code message value }
    preview {
      status itemCount acceptedCount rejectedCount priceDayCount laneCount firstDay lastDay newAverageCount
      lanes { origin { code } destination { code name } }
      changes { origin { code } destination { code } day averageBefore averageAfter countBefore countAfter }
    }
  }
}
"""
BACK = {**VALID_ITEM, "origin": "NLRTM", "destination": "CNSGH", "dateTo": None}
THREE = [VALID_ITEM, {**VALID_ITEM, "price": 200}, {**VALID_ITEM, "price": 300.01}]


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """A server over two ports without prices, and a worker."""
    create_locations(database_url)
    with running_worker(database_url), running_server(database_url, max_items=1_500) as client:
        yield client


def send(client: Client, *items: Json, **options: object) -> Json:
    """Send the items as an upload and return the payload."""
    payload: Json = client.ask(UPLOAD, input={"prices": items, "waitMs": 30_000, **options})["uploadPrices"]
    return payload


def dry_run(client: Client, *items: Json, **options: object) -> Json:
    """Send the items as a dry run and return the payload."""
    payload = send(client, *items, dryRun=True, **options)
    assert payload["batch"] is None
    assert payload["replayed"] is False
    return payload


def test_dry_run_preview_matches_the_upload_and_the_resulting_averages(client: Client) -> None:
    send(client, *THREE[:2], {**VALID_ITEM, "dateTo": None, "price": 300}, BACK, BACK)
    items = [{**VALID_ITEM, "price": "-50"}, *[BACK] * 2, {**BACK, "dateFrom": "2024-02-01"}]
    preview = dry_run(client, *items)["preview"]
    there = {"origin": {"code": "CNSGH"}, "destination": {"code": "NLRTM"}}
    back = {"origin": {"code": "NLRTM"}, "destination": {"code": "CNSGH"}}
    assert preview.pop("lanes") == [
        {"origin": {"code": "NLRTM"}, "destination": {"code": "CNSGH", "name": "Name of CNSGH"}},
        {"origin": {"code": "CNSGH"}, "destination": {"code": "NLRTM", "name": "Name of NLRTM"}},
    ]
    assert preview.pop("changes") == [
        # It changes by 62.50; the new averages are 100.00 and 83.33.
        {**there, "day": "2024-01-01", "averageBefore": 200, "averageAfter": 137.5, "countBefore": 3, "countAfter": 4},
        {**back, "day": "2024-01-01", "averageBefore": None, "averageAfter": 100, "countBefore": 2, "countAfter": 4},
        {**there, "day": "2024-01-02", "averageBefore": None, "averageAfter": 83.33, "countBefore": 2, "countAfter": 3},
    ]
    assert preview == {
        "status": "APPLIED",
        "itemCount": 4,
        "acceptedCount": 4,
        "rejectedCount": 0,
        "priceDayCount": 5,
        "laneCount": 2,
        "firstDay": "2024-01-01",
        "lastDay": "2024-02-01",
        "newAverageCount": 2,
    }
    real = send(client, *items)
    assert real["preview"] is None
    assert real["batch"] == {key: preview[key] for key in real["batch"]}
    averages = client.ask("""{
        there: averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-02", origin: "CNSGH", destination: "NLRTM")
            { averagePrice priceCount }
        back: averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "NLRTM", destination: "CNSGH")
            { averagePrice priceCount }
    }""")
    assert averages == {
        "there": [{"averagePrice": 137.5, "priceCount": 4}, {"averagePrice": 83.33, "priceCount": 3}],
        "back": [{"averagePrice": 100, "priceCount": 4}],
    }


@pytest.mark.parametrize(
    "items",
    [[*THREE, {**VALID_ITEM, "destination": "CNSGH"}], [VALID_ITEM, {**VALID_ITEM, "price": "x"}]],
    ids=["valid", "invalid"],
)
def test_dry_run_changes_no_row_and_sends_no_notification(client: Client, database_url: str, items: list[Json]) -> None:
    send(client, *THREE, {**VALID_ITEM, "price": "x"}, onError="SKIP_INVALID")
    before = dump(database_url)
    with psycopg.connect(database_url, autocommit=True) as listener:
        (schema,) = listener.execute(SQL["get_schema"]).fetchone() or ()
        for channel in (*(f"{name}_{schema}" for name in (QUEUE, BATCHES, DATA)), "end_of_test"):
            listener.execute(f"LISTEN {channel}".encode())
        assert dry_run(client, *items, idempotencyKey="k")["preview"]["itemCount"] == len(items)
        listener.execute("NOTIFY end_of_test")
        assert next(listener.notifies(timeout=DEADLINE_SECONDS)).channel == "end_of_test"
    assert dump(database_url) == before
    assert before['"public"."price_totals"']


def test_dry_run_neither_reserves_nor_matches_the_idempotency_key(client: Client) -> None:
    assert dry_run(client, VALID_ITEM, idempotencyKey="k")["preview"]["status"] == "APPLIED"
    assert send(client, VALID_ITEM, idempotencyKey="k")["replayed"] is False
    other = dry_run(client, VALID_ITEM, BACK, idempotencyKey="k")
    assert (other["userErrors"], other["preview"]["itemCount"]) == ([], 2)


@pytest.mark.parametrize(
    ("items", "options", "code"),
    [
        ([], {}, "EMPTY_BATCH"),
        ([VALID_ITEM] * 1_501, {}, "TOO_MANY_ITEMS"),
        ([VALID_ITEM], {"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY"),
    ],
)
def test_dry_run_rejected_as_a_whole_has_no_preview(
    client: Client, items: list[Json], options: Json, code: str
) -> None:
    payload = dry_run(client, *items, **options)
    assert payload["preview"] is None
    assert [(error["item"], error["code"]) for error in payload["userErrors"]] == [(None, code)]


def test_dry_run_completes_without_a_worker(database_url: str) -> None:
    create_locations(database_url)
    with running_server(database_url) as client:
        assert dry_run(client, VALID_ITEM, waitMs=-1)["preview"]["status"] == "APPLIED"


@pytest.mark.parametrize("on_error", ["REJECT_BATCH", "SKIP_INVALID"])
def test_dry_run_reports_the_same_errors_and_warnings_as_the_upload(client: Client, on_error: str) -> None:
    odd = {**VALID_ITEM, "destination": "CNSGH"}
    items = [*THREE, odd, *({**VALID_ITEM, **change} for change, *_ in INVALID_ITEMS), odd]
    tried = dry_run(client, *items, onError=on_error)
    real = send(client, *items, onError=on_error)
    for key in ("userErrors", "warnings"):
        assert tried[key] == real[key]
    assert len(tried["userErrors"]) == len(INVALID_ITEMS)
    assert len(tried["warnings"]) == 2
    assert real["batch"] == {key: tried["preview"][key] for key in real["batch"]}


def test_dry_run_preview_is_empty_if_an_invalid_item_rejects_the_batch(client: Client) -> None:
    preview = dry_run(client, *THREE, {**VALID_ITEM, "price": "x"})["preview"]
    assert (preview["status"], preview["acceptedCount"], preview["rejectedCount"]) == ("REJECTED", 0, 1)
    assert preview["lanes"] == preview["changes"] == []
    assert preview["firstDay"] is preview["lastDay"] is None
    assert preview["laneCount"] == preview["priceDayCount"] == preview["newAverageCount"] == 0


def test_dry_run_previews_valid_items_with_skip_invalid(client: Client) -> None:
    preview = dry_run(client, *THREE, {**VALID_ITEM, "price": "x"}, onError="SKIP_INVALID")["preview"]
    assert (preview["status"], preview["acceptedCount"], preview["rejectedCount"]) == ("APPLIED", 3, 1)
    assert [change["averageAfter"] for change in preview["changes"]] == [200, 200]
    assert preview["newAverageCount"] == 2


def test_dry_run_of_only_invalid_items_is_rejected_even_with_skip_invalid(client: Client) -> None:
    preview = dry_run(client, {**VALID_ITEM, "price": "x"}, onError="SKIP_INVALID")["preview"]
    assert (preview["status"], preview["rejectedCount"], preview["changes"]) == ("REJECTED", 1, [])


def test_dry_run_lists_the_first_thousand_errors_and_counts_all(client: Client) -> None:
    items = [VALID_ITEM, *[{**VALID_ITEM, "price": "x"}] * 1_200]
    tried, real = dry_run(client, *items), send(client, *items)
    assert tried["userErrors"] == real["userErrors"]
    assert [error["item"] for error in tried["userErrors"]] == list(range(2, 1_002))
    assert tried["preview"]["rejectedCount"] == 1_200


def test_dry_run_omits_averages_that_are_unchanged_to_the_cent(client: Client) -> None:
    send(client, *[VALID_ITEM] * 3)
    preview = dry_run(client, VALID_ITEM, {**VALID_ITEM, "price": "100.01"})["preview"]
    assert (preview["status"], preview["changes"], preview["newAverageCount"]) == ("APPLIED", [], 0)


def test_dry_run_orders_changes_by_the_rounded_difference(client: Client) -> None:
    send(client, *[VALID_ITEM] * 3)
    # Both displayed averages change by a cent; exactly, the first one changes by half a cent.
    items = [
        {**VALID_ITEM, "dateTo": None, "price": "100.02"},
        {**VALID_ITEM, "dateFrom": "2024-01-02", "price": "100.04"},
    ]
    changes = dry_run(client, *items)["preview"]["changes"]
    assert [(change["day"], change["averageAfter"]) for change in changes] == [
        ("2024-01-01", 100.01),
        ("2024-01-02", 100.01),
    ]


def test_dry_run_of_two_prices_previews_no_average(client: Client) -> None:
    preview = dry_run(client, VALID_ITEM, VALID_ITEM)["preview"]
    assert (preview["priceDayCount"], preview["changes"], preview["newAverageCount"]) == (4, [], 0)


def test_dry_run_counts_new_averages_that_are_not_listed(client: Client) -> None:
    preview = dry_run(client, *[{**VALID_ITEM, "dateTo": "2024-12-31"}] * 3)["preview"]
    assert [change["day"] for change in preview["changes"]] == [f"2024-01-{day:02}" for day in range(1, 11)]
    assert preview["newAverageCount"] == 366


def test_dry_run_previews_averages_of_foreign_currencies_in_dollars(client: Client, database_url: str) -> None:
    async def load() -> None:
        async with connect(database_url, INGEST) as connection:
            await load_ecb_rates(connection)

    asyncio.run(load())
    euros = {**VALID_ITEM, "dateTo": "2024-01-10", "currency": "EUR", "price": "1000.50"}
    preview = dry_run(client, euros, euros, {**euros, "currency": "jpy"})["preview"]
    assert preview["priceDayCount"] == 30
    changes = preview["changes"]
    assert len(changes) == preview["newAverageCount"] == 10
    assert [change["averageAfter"] for change in changes] == sorted(
        (change["averageAfter"] for change in changes), reverse=True
    )
    send(client, euros, euros, {**euros, "currency": "jpy"})
    answer = client.ask("""{ averagePrices(
        dateFrom: "2024-01-01", dateTo: "2024-01-10", origin: "CNSGH", destination: "NLRTM") { day averagePrice } }""")
    assert {day["day"]: day["averagePrice"] for day in answer["averagePrices"]} == {
        change["day"]: change["averageAfter"] for change in changes
    }


def test_dry_run_without_a_token_is_rejected(database_url: str) -> None:
    with running_server(database_url, writes_are_open=False) as client:
        failure = client.fail(UPLOAD, input={"prices": [VALID_ITEM], "dryRun": True})
        assert failure["extensions"]["code"] == "UNAUTHENTICATED"


def test_dry_run_accepts_literal_items(client: Client) -> None:
    item = '{ dateFrom: "2024-01-01", origin: "CNSGH", destination: "NLRTM", price: 1 }'
    mutation = f"mutation {{ uploadPrices(input: {{ dryRun: true, prices: [{item}] }}) {{ preview {{ itemCount }} }} }}"
    assert client.ask(mutation) == {"uploadPrices": {"preview": {"itemCount": 1}}}
    assert price_counts(client) == [0, 0]


class Sender(threading.Thread):
    """A thread that sends a dry run; `payload` is available after `join`."""

    payload: Json

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self.start()

    def run(self) -> None:
        """Send the dry run."""
        self.payload = dry_run(self._client, VALID_ITEM)


def wait_for_lock(connection: psycopg.Connection) -> None:
    """Wait until a statement waits for a lock."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
        assert time.monotonic() < deadline, "no statement waits for a lock"


def test_dry_run_queues_behind_others_and_fails_as_busy_after_the_timeout(
    client: Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE price_totals IN ACCESS EXCLUSIVE MODE")
        first = Sender(client)
        wait_for_lock(holder)
        with monkeypatch.context() as patch:
            patch.setattr("server.ingest_adapter.MAX_QUEUE_SECONDS", 0.05)
            failure = client.fail(UPLOAD, input={"prices": [VALID_ITEM], "dryRun": True})
        assert failure["extensions"]["code"] == "DRY_RUN_BUSY"
        assert "Try again" in failure["message"]
        others = [Sender(client) for _ in range(3)]
    for sender in (first, *others):
        sender.join(timeout=DEADLINE_SECONDS)
        assert sender.payload["preview"]["status"] == "APPLIED"
