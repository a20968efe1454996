"""BATCH_TOO_LARGE and TREE_CHANGE_TOO_LARGE over real HTTP and on the command line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.batches.mutations import MOVE
from tests.support.batches.price_files import send
from tests.support.batches.uploads import VALID_ITEM, create_locations, upload
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import COMMAND, environment
from tests.support.fixtures.server import Client, running_server, running_worker

LONG_ITEM = {**VALID_ITEM, "dateTo": "2024-02-01"}
HEADER, LONG_LINE = b"origin,destination,date_from,date_to,price\n", b"CNSGH,NLRTM,2015-01-01,2024-12-31,100\n"
LONG_LINES = HEADER + LONG_LINE * 3_000
DRY_RUN = (
    "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { preview { status } userErrors { code } } }"
)
PLACE = '{ location(key: "NLRTM") { ... on Port { parent { slug } } } }'


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """A server with small limits, and a worker with the default limits."""
    create_locations(database_url)
    with (
        running_worker(database_url),
        running_server(database_url, max_batch_price_days=63, max_moved_lane_months=3) as client,
    ):
        yield client


def test_upload_of_too_many_price_days_stores_no_batch(client: Client) -> None:
    short_items = [{**VALID_ITEM, "dateTo": VALID_ITEM["dateFrom"]}] * 40
    payload = upload(client, LONG_ITEM, LONG_ITEM, *short_items, idempotencyKey="k")
    message = (
        "too many price days: 64 in items valid for more than one day, limit 63; split the upload into smaller batches"
    )
    assert payload["batch"] is None
    assert payload["userErrors"] == [
        {"item": None, "field": "prices", "code": "BATCH_TOO_LARGE", "message": message, "value": None}
    ]
    assert client.ask("{ batches { totalCount } }")["batches"]["totalCount"] == 0
    # The idempotency key is still free for the parts.
    assert upload(client, LONG_ITEM, *short_items, idempotencyKey="k")["batch"]["acceptedCount"] == 41


def test_dry_run_of_too_many_price_days_has_no_preview(client: Client) -> None:
    payload = client.ask(DRY_RUN, input={"prices": [LONG_ITEM, LONG_ITEM], "dryRun": True})["uploadPrices"]
    assert payload == {"preview": None, "userErrors": [{"code": "BATCH_TOO_LARGE"}]}


def test_worker_command_rejects_a_price_file_by_its_own_settings(database_url: str) -> None:
    create_locations(database_url)
    variables = {**environment(database_url), "RATESGRAPH_MAX_BATCH_PRICE_DAYS": "63"}
    with (
        running_server(database_url) as client,
        subprocess.Popen([COMMAND, "worker"], env=variables, stdout=subprocess.DEVNULL) as worker,
    ):
        try:
            payload = send(client, HEADER + LONG_LINE)
        finally:
            worker.terminate()
    assert [error["code"] for error in payload["userErrors"]] == ["BATCH_TOO_LARGE"]


@pytest.mark.parametrize("on_error", ["REJECT_BATCH", "SKIP_INVALID"])
def test_price_file_with_too_many_price_days_is_rejected_by_the_worker(client: Client, on_error: str) -> None:
    payload = send(client, LONG_LINES, onError=on_error)
    assert (payload["batch"]["status"], payload["batch"]["acceptedCount"]) == ("REJECTED", 0)
    assert payload["userErrors"] == [{"item": None, "field": None, "code": "BATCH_TOO_LARGE", "value": None}]


def test_dry_run_of_a_price_file_with_too_many_price_days_is_rejected(client: Client) -> None:
    payload = send(client, LONG_LINES, dryRun=True)
    assert (payload["batch"], payload["preview"]["status"]) == (None, "REJECTED")
    assert [error["code"] for error in payload["userErrors"]] == ["BATCH_TOO_LARGE"]


def test_prices_load_command_rejects_a_file_that_is_too_large(database_url: str, tmp_path: Path) -> None:
    create_locations(database_url)
    file = tmp_path / "long.csv"
    file.write_bytes(LONG_LINES)
    done = ratesgraph_in_process(database_url, "prices", "load", file, exit_code=1)
    assert "long.csv: BATCH_TOO_LARGE: too many price days: 10,959,000 in items" in " ".join(done.stderr.split())
    allowed = {"RATESGRAPH_MAX_BATCH_PRICE_DAYS": "10959000", "RATESGRAPH_MAX_BATCH_LANE_MONTHS": "119"}
    done = ratesgraph_in_process(database_url, "prices", "load", file, exit_code=1, settings=allowed)
    assert "too many lane-months: 120 in items" in " ".join(done.stderr.split())


def test_region_tree_move_of_too_many_lane_months_is_rejected(
    client: Client, database_url: str, tmp_path: Path
) -> None:
    upload(client, LONG_ITEM)
    upload(client, {**VALID_ITEM, "dateFrom": "2024-02-29", "dateTo": "2024-03-01"})
    before = client.ask(PLACE)
    (error,) = client.ask(MOVE, key="NLRTM", parent="china")["change"]["userErrors"]
    assert (error["item"], error["code"]) == (None, "TREE_CHANGE_TOO_LARGE")
    assert error["message"].startswith("the change moves 4 lane-months, limit 3; move fewer locations at once")
    assert client.ask(PLACE) == before
    ports = tmp_path / "ports.csv"
    ports.write_text("code,name,parent_slug\nNLRTM,Rotterdam,china\n")
    command = ("locations", "load", "--ports", ports)
    limit = {"RATESGRAPH_MAX_MOVED_LANE_MONTHS": "3"}
    done = ratesgraph_in_process(database_url, *command, exit_code=1, settings=limit)
    assert "TREE_CHANGE_TOO_LARGE" in done.stderr
    ratesgraph_in_process(database_url, *command, "--large", settings=limit)
    ratesgraph_in_process(database_url, "verify")
    assert client.ask(PLACE) != before
