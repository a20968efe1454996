"""Limits on response names and response bytes, over every transport and for every field."""

import asyncio
import hashlib
import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosedError

from db.pool import INGEST, connect
from graph.value_sizes import MAX_MESSAGE_LENGTH
from ingest.tree import change_tree
from server.graphql_api.websocket_handler import MAX_ID_LENGTH
from tests.support.batches.uploads import VALID_ITEM, create_locations, upload
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.streams import open_socket, open_subscription, operation_results, receive, sse_results, subscribe
from tests.support.worlds import World

MAX_BYTES = 100_000
PORTS = [f"AA{number}" for number in range(200, 500)]
HARBOURS = World({"harbours": None, **dict.fromkeys(PORTS, "harbours")}, set(PORTS))
TEN_YEARS = '"2014-01-01", {to}: "2023-12-31"'
AVERAGES = f'averagePrices(dateFrom: {TEN_YEARS.format(to="dateTo")}, origin: "china", destination: "europe")'
RATES = f'exchangeRates(currency: "USD", from: {TEN_YEARS.format(to="to")})'
EXCEEDED, NAME = "RESPONSE_TOO_LARGE", "x" * 120


def repeat(field: str, count: int = 20) -> str:
    """Return the field under as many long aliases."""
    return " ".join(f"{NAME}{number}: {field}" for number in range(count))


BEFORE_EXECUTION = {
    "averages on the fast path": f"{{ {AVERAGES} {{ {NAME}: priceCount }} }}",
    "averages in the executor": f'{{ {AVERAGES} {{ {NAME}: priceCount }} location(key: "x") {{ key }} }}',
    "days without aliases": f"{{ {AVERAGES} {{ day averagePrice priceCount }} }}",
    "type names": f"{{ {AVERAGES} {{ {NAME}: __typename }} }}",
    "a fragment": f"{{ ...All }} fragment All on Query {{ {AVERAGES} {{ ...Day }} }}"
    f" fragment Day on DailyAverage {{ {NAME}: day }}",
    "fragments that are spread often": "{"
    + " ".join(f"page{number}: locations(first: 500) {{ ...Page }}" for number in range(3))
    + f"}} fragment Page on LocationConnection {{ edges {{ {NAME}: cursor }} }}",
    "skipped fields": f"{{ {AVERAGES} {{ {NAME}: priceCount @skip(if: true) day }} }}",
    "exchange rates": f"{{ {RATES} {{ {NAME}: day }} }}",
    "locations": f"{{ locations(first: 500) {{ edges {{ node {{ {repeat('key', 2)} }} }} }} }}",
    "names of locations": "{ locations(first: 500) { edges { node { name } } } }",
    "batches": f"{{ batches(first: 500) {{ edges {{ node {{ {repeat('status', 2)} }} }} }} }}",
    "rejections": f'{{ batch(id: "1") {{ rejections(first: 500) {{ edges {{ node {{ {repeat("code", 2)} }} }} }} }} }}',
    "lanes": f'{{ batch(id: "1") {{ lanes(first: 500) {{ edges {{ node {{ {repeat("__typename", 2)} }} }} }} }} }}',
    "roots": f"{{ {repeat('batches { edges { node { source uploader } } }', 4)} }}",
}
DURING_EXECUTION = {
    "ports of a region": f'{{ region(slug: "harbours") {{ ports {{ {repeat("code")} }} }} }}',
    "nested lists": "{ locations(kind: REGION) { edges { node { ... on Region { ports { ancestors { name } } } } } } }",
    "types of the schema": f"{{ __schema {{ types {{ {repeat('name')} }} }} }}",
    "descriptions of the schema": "{ __schema { types { fields { description args { description } } } } }",
}


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """A server with a low limit, over 302 ports and one applied batch."""
    create_locations(module_database_url)

    async def extend() -> None:
        async with connect(module_database_url, INGEST) as connection:
            await change_tree(connection, HARBOURS.entries())

    asyncio.run(extend())
    with running_server(module_database_url) as unlimited, running_worker(module_database_url):
        assert upload(unlimited, VALID_ITEM)["batch"]["number"] == 1
    with running_server(module_database_url, max_response_bytes=MAX_BYTES) as client:
        yield client


def find_codes(answer: Json) -> set[str]:
    """Return the codes of the errors of a response."""
    return {error["extensions"]["code"] for error in answer["errors"]}


@pytest.mark.parametrize("name", BEFORE_EXECUTION)
def test_response_limit_refuses_an_operation_before_execution(client: Client, name: str) -> None:
    response = client.http.post("/graphql", json={"query": BEFORE_EXECUTION[name]})
    (error,) = response.json()["errors"]
    extensions = error["extensions"]
    assert (response.status_code, extensions["code"], extensions["maxBytes"]) == (200, EXCEEDED, MAX_BYTES)
    assert extensions["bytes"] > MAX_BYTES
    assert error["message"] == (
        f"Response of up to {extensions['bytes']:,} bytes exceeds the limit of 100,000;"
        " request fewer days, lanes, entries or fields, or use shorter aliases."
    )
    assert "data" not in response.json()


@pytest.mark.parametrize("name", DURING_EXECUTION)
def test_response_limit_stops_lists_of_unknown_length_when_they_are_read(client: Client, name: str) -> None:
    response = client.http.post("/graphql", json={"query": DURING_EXECUTION[name]})
    answer = response.json()
    assert find_codes(answer) - {"TOO_MANY_ERRORS"} == {EXCEEDED}
    assert answer["errors"][0]["path"]
    assert len(response.content) < MAX_BYTES


@pytest.mark.parametrize("media_type", ["application/json", "application/graphql-response+json"])
def test_response_limit_has_the_status_of_a_request_error(client: Client, media_type: str) -> None:
    body = {"query": BEFORE_EXECUTION["type names"]}
    response = client.http.post("/graphql", json=body, headers={"Accept": media_type})
    assert response.status_code == (200 if media_type == "application/json" else 400)


def test_response_limit_applies_to_every_transport(client: Client) -> None:
    url = str(client.http.base_url)
    for query in (*BEFORE_EXECUTION.values(), *DURING_EXECUTION.values()):
        answers = [client.http.get("/graphql", params={"query": query}).json()]
        digest = hashlib.sha256(query.encode()).hexdigest()
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
        bodies = [{"query": query, "extensions": extensions}, {"extensions": extensions}]
        answers += [client.http.post("/graphql", json=body).json() for body in bodies]
        events = client.http.post("/graphql", json={"query": query}, headers={"Accept": "text/event-stream"})
        answers += sse_results(events)
        with open_socket(url) as socket:
            subscribe(socket, query, {})
            answers += operation_results(socket)
        assert len(answers) == 5
        for answer in answers:
            assert find_codes(answer) - {"TOO_MANY_ERRORS"} == {EXCEEDED}
            assert len(json.dumps(answer)) < MAX_BYTES


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_response_limit_refuses_a_subscription_before_it_starts(client: Client, transport: str) -> None:
    rejections = f"rejections(first: 500) {{ edges {{ node {{ {NAME}: field }} }} }}"
    query = f'subscription {{ batchProgress(id: "1") {{ {rejections} }} }}'
    with open_subscription(str(client.http.base_url), transport, query) as answers:
        assert find_codes(next(answers)) == {EXCEEDED}


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_response_limit_applies_to_each_event_of_a_subscription(client: Client, transport: str) -> None:
    ancestors = f"origin {{ ancestors {{ {repeat('key', 58)} }} }}"
    query = f'subscription {{ batchProgress(id: "1") {{ lanes(first: 1) {{ edges {{ node {{ {ancestors} }} }} }} }} }}'
    with open_subscription(str(client.http.base_url), transport, query) as answers:
        (answer,) = list(answers)
        assert "errors" not in answer


def test_response_limit_refuses_a_mutation_before_it_changes_anything(client: Client) -> None:
    rejections = "rejections(first: 500) { edges { node { message } } }"
    query = (
        "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input)"
        f" {{ batch {{ id {rejections} }} userErrors {{ code }} }} }}"
    )
    assert client.fail(query, input={"prices": [VALID_ITEM], "waitMs": 0})["extensions"]["code"] == EXCEEDED
    assert client.ask("{ batches { totalCount } }") == {"batches": {"totalCount": 1}}


def test_response_size_is_reported_on_request(client: Client) -> None:
    query = BEFORE_EXECUTION["type names"]
    response = client.http.post("/graphql", json={"query": query}, headers={"GraphQL-Cost": "only"})
    reported = response.json()["extensions"]["bytes"]
    assert reported["maximum"] == MAX_BYTES
    assert client.fail(query)["extensions"]["bytes"] == reported["requested"]


def test_response_to_long_names_is_bounded_by_the_default_limits(module_database_url: str) -> None:
    with running_server(module_database_url) as client:
        for length, codes in ((129, {"NAME_TOO_LONG"}), (128, {EXCEEDED}), (110, set())):
            prices = " ".join(f"{'x' * (length - 2)}{number}: averagePrice" for number in range(10, 69))
            response = client.http.post("/graphql", json={"query": f"{{ {AVERAGES} {{ {prices} }} }}"})
            assert {error["extensions"]["code"] for error in response.json().get("errors", ())} == codes
            assert len(response.content) < 32_000_000


@pytest.mark.parametrize(
    "document",
    [
        "{ %s: __typename }",
        "{ ...%s } fragment %s on Query { __typename }",
        "query %s { __typename }",
        "query ($%s: Int) { locations(first: $%s) { totalCount } }",
        "{ %s }",
        "{ __typename @%s }",
        "{ locations(%s: 1) { totalCount } }",
        "{ ... on %s { __typename } }",
    ],
)
def test_document_names_above_the_limit_are_refused_with_their_location(client: Client, document: str) -> None:
    failure = client.fail(document.replace("%s", "n" * 129))
    assert failure["extensions"] == {"code": "NAME_TOO_LONG"}
    assert failure["message"] == "Name too long: 129 characters, limit 128."
    assert failure["locations"] == [{"line": 1, "column": document.index("%s") + 1}]
    answer = client.post(document.replace("%s", "n" * 128))
    assert "NAME_TOO_LONG" not in {error["extensions"]["code"] for error in answer.get("errors", ())}


def test_document_with_a_long_text_or_comment_has_no_name_limit(client: Client) -> None:
    text = "n" * 500
    assert client.ask(f'{{ location(key: "{text}") {{ key }} }} # {text}') == {"location": None}


def test_errors_at_long_paths_are_bounded(client: Client) -> None:
    wrong = 'averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "%s", destination: "x") { day }'
    response = client.http.post("/graphql", json={"query": f"{{ {repeat(wrong.replace('%s', 'y' * 500), 50)} }}"})
    answer = response.json()
    assert find_codes(answer) == {"UNKNOWN_LOCATION"}
    assert len(response.content) < MAX_BYTES


def test_error_message_that_quotes_a_long_literal_is_cut(client: Client) -> None:
    failure = client.fail(f'{{ locations(first: "{"one" * 10_000}") {{ totalCount }} }}')
    assert len(failure["message"]) == 1_000
    assert failure["message"].endswith("…")


def test_user_error_message_that_quotes_many_keys_is_cut(client: Client) -> None:
    slugs = [f"{number:063}" for number in range(20)]
    regions = [
        {"slug": slug, "name": "Ring", "parentSlug": parent}
        for slug, parent in zip(slugs, slugs[1:] + slugs[:1], strict=True)
    ]
    query = "mutation ($regions: [RegionInput!]!) { upsertRegions(regions: $regions) { userErrors { code message } } }"
    (error,) = client.ask(query, regions=regions)["upsertRegions"]["userErrors"]
    assert len(error["message"]) == MAX_MESSAGE_LENGTH


def test_websocket_operation_id_length_limit_is_inclusive(client: Client) -> None:
    with open_socket(str(client.http.base_url)) as socket:
        subscribe(socket, "{ __typename }", {}, "i" * MAX_ID_LENGTH)
        assert receive(socket)["id"] == "i" * MAX_ID_LENGTH
        assert receive(socket)["type"] == "complete"
        subscribe(socket, "{ __typename }", {}, "i" * (MAX_ID_LENGTH + 1))
        with pytest.raises(ConnectionClosedError) as closed:
            receive(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400
