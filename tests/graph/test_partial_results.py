"""Partial results: a field that fails is null, and its neighbours keep their data."""

from collections.abc import Iterator

import pytest

from tests.support.batches.uploads import VALID_ITEM, create_locations, upload
from tests.support.fixtures.server import Client, running_server, running_worker

FAILING = {
    "averagePrices": 'averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "?", destination: "?") { day }',
    "exchangeRates": 'exchangeRates(currency: "?", from: "2024-01-01", to: "2024-01-01") { day }',
    "locations": "locations(first: 0) { totalCount }",
    "batches": 'batches(after: "?") { totalCount }',
}
WAITING_TOO_LONG = "uploadPrices(input: { prices: [], waitMs: -1 }) { replayed }"
UPLOADING = (
    "uploadPrices(input: { waitMs: 30000, prices:"
    ' [{ dateFrom: "2024-01-01", origin: "CNSGH", destination: "NLRTM", price: 1 }] }) { batch { status } }'
)


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """A server over two ports and one batch."""
    create_locations(module_database_url)
    with running_server(module_database_url) as client, running_worker(module_database_url):
        upload(client, VALID_ITEM)
        yield client


@pytest.mark.parametrize("name", FAILING)
def test_partial_result_of_a_failing_root_field_keeps_the_neighbours(client: Client, name: str) -> None:
    answer = client.post(f'{{ port(code: "NLRTM") {{ code }} {FAILING[name]} }}')
    assert answer["data"] == {"port": {"code": "NLRTM"}, name: None}
    assert [error["path"] for error in answer["errors"]] == [[name]]


def test_partial_result_of_a_failing_mutation_keeps_the_results_of_the_others(client: Client) -> None:
    answer = client.post(f"mutation {{ before: {UPLOADING} {WAITING_TOO_LONG} after: {UPLOADING} }}")
    applied = {"batch": {"status": "APPLIED"}}
    assert answer["data"] == {"before": applied, "uploadPrices": None, "after": applied}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID_WAIT"]


def test_partial_result_of_failing_fields_of_a_batch_keeps_the_batch(client: Client) -> None:
    fields = 'status lanes(first: 0) { totalCount } rejections(before: "?") { totalCount } second: lanes { totalCount }'
    answer = client.post(f'{{ batch(id: "1") {{ {fields} }} }}')
    expected = {"status": "APPLIED", "lanes": None, "rejections": None, "second": {"totalCount": 1}}
    assert answer["data"] == {"batch": expected}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"INVALID_PAGE_SIZE", "INVALID_CURSOR"}
