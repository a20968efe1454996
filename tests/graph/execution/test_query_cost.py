"""Query cost: reported on request, estimated without execution, rejected above the limit."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.batches.uploads import AVERAGES, UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.streams import open_socket, operation_results, sse_results, subscribe

MAXIMUM = 1_000
LANE = 'origin: "china", destination: "europe"'
YEAR = f'averagePrices(dateFrom: "2024-01-01", dateTo: "2024-12-31", {LANE})'
BY_VARIABLES = (
    'query ($from: Date!, $to: Date! = "2024-01-31")'
    f" {{ averagePrices(dateFrom: $from, dateTo: $to, {LANE}) {{ day }} }}"
)
OVER_LIMIT = f"{{ a: {YEAR} {{ day }} b: {YEAR} {{ day }} c: {YEAR} {{ day }} }}"


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """A server over two ports, shared by the tests of the module."""
    create_locations(module_database_url)
    with running_server(module_database_url, max_cost=MAXIMUM, max_errors=3) as client:
        yield client


def post(client: Client, query: str, variables: Json | None = None, *, cost_header: str | None) -> httpx.Response:
    """Send a query, with a `GraphQL-Cost` header if `cost_header` is set."""
    headers = {"GraphQL-Cost": cost_header} if cost_header else {}
    return client.http.post("/graphql", json={"query": query, "variables": variables or {}}, headers=headers)


def estimate_cost(client: Client, query: str, variables: Json | None = None) -> int:
    """Return the estimated cost of the operation."""
    answer = post(client, query, variables, cost_header="only").json()
    assert answer["data"] is None
    assert "errors" not in answer
    cost = answer["extensions"]["cost"]
    assert cost["maximum"] == MAXIMUM
    return int(cost["requested"])


@pytest.mark.parametrize(
    ("query", "variables", "cost"),
    [
        ("{ __typename }", {}, 0),
        ("{ __schema { queryType { name } } }", {}, 500),
        ('{ location(key: "x") { key name } }', {}, 1),
        ('{ location(key: "x") { parent { name } ancestors { name } } }', {}, 1 + 1 + 10),
        ('{ region(slug: "x") { children { ... on Region { ports { code } } } } }', {}, 1 + 10 + 10 * 10),
        (f"{{ {YEAR} {{ day averagePrice priceCount }} }}", {}, 366),
        (f"{{ {YEAR} {{ lowPrice }} }}", {}, 366 * 4),
        (f"{{ {YEAR} {{ day }} second: {YEAR} {{ ...f }} }} fragment f on DailyAverage {{ day medianPrice }}", {}, 366 * 5),
        (f"{{ ...f }} fragment f on Query {{ {YEAR} {{ day }} ... {{ other: {YEAR} {{ day }} }} }}", {}, 366 * 2),
        (BY_VARIABLES, {"from": "2024-01-31"}, 1),
        (BY_VARIABLES, {"from": "2024-01-01"}, 31),
        (BY_VARIABLES, {"from": "2024-01-01", "to": "2024-02-29"}, 60),
        ('{ exchangeRates(currency: "EUR", from: "2024-01-01", to: "2024-01-07") { usdPerUnit } }', {}, 7),
        ("{ locations { edges { node { key } } totalCount } }", {}, 50),
        ("{ locations { edges { cursor node { id key name } } } }", {}, 50 + 50),
        ("{ locations { edges { node { id key name parent { id key name __typename } } } } }", {}, 50 * (1 + 1 + 9 // 5)),
        ('{ exchangeRates(currency: "EUR", from: "2024-01-01", to: "2024-01-07") { a: day b: day c: day d: day e: day } }',
         {}, 7 * 2),
        (f"{{ {YEAR} {{ a: day b: day c: day d: day e: day }} }}", {}, 366),
        ("{ batches(first: 20) { edges { node { rejections(first: 30) { edges { node { code } } } } } } }", {}, 20 + 20 * 30),
        ("query ($n: Int) { batches(first: $n) { edges { node { id } } } }", {}, 50),
        ("query ($n: Int) { batches(first: $n) { edges { node { id } } } }", {"n": None}, 50),
        ("query ($n: Int) { batches(last: $n) { edges { node { id } } } }", {"n": 9}, 9),
        ("{ batches(last: 6, before: \"x\") { edges { node { id } } } }", {}, 6),
        ("{ batches(first: null, last: 6) { edges { node { id } } } }", {}, 6),
        ('{ node(id: "x") { id ... on PriceBatch { lanes(first: 9) { totalCount } } } }', {}, 1 + 9),
        ('{ nodes(ids: ["x", "y", "z"]) { id ... on Region { ports { code } } } }', {}, 3 + 3 * 10),
        ('{ nodes(ids: "x") { id } }', {}, 1),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x"] * 40}, 40),
        ("query ($id: ID!) { nodes(ids: [$id, $id]) { id } }", {"id": "x"}, 2),
        ("query ($n: Int! = 7) { batches(first: $n) { edges { node { id } } } }", {}, 7),
        ("query ($n: Int!) { batches(first: $n) { edges { node { id } } } }", {"n": 8}, 8),
        ('subscription { batchProgress(id: "1") { status } }', {}, None),
    ],
)  # fmt: skip
def test_query_cost_is_computed_from_the_maximum_result_size(
    client: Client, query: str, variables: Json, cost: int | None
) -> None:
    if cost is None:
        assert post(client, query, cost_header="only").status_code == 406
    else:
        assert estimate_cost(client, query, variables) == cost


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (BY_VARIABLES, {"from": "2025-01-01"}),
        (BY_VARIABLES, {"from": "0001-01-01", "to": "9999-12-31"}),
        (BY_VARIABLES, {"from": 7}),
        (BY_VARIABLES, {"from": "yesterday"}),
        ("query ($n: Int!) { batches(first: $n) { edges { node { id } } } }", {"n": 10**30}),
        ("query ($n: Int!) { batches(first: $n) { edges { node { id } } } }", {"n": -1}),
        ("query ($n: Int!) { batches(last: $n) { edges { node { id } } } }", {"n": -1}),
        ("query ($n: Int!) { batches(first: 5, last: $n) { edges { node { id } } } }", {"n": 5}),
        ("query ($n: Int!) { batches(first: $n) { edges { node { id } } } }", {"n": [1]}),
    ],
)
def test_query_cost_of_invalid_variables_is_zero_and_does_not_mask_their_error(
    client: Client, query: str, variables: Json
) -> None:
    assert estimate_cost(client, query, variables) == 0
    assert client.fail(query, **variables)["extensions"]["code"] != "QUERY_TOO_COSTLY"


def test_query_cost_is_reported_only_on_request_and_bypasses_the_cache(client: Client) -> None:
    responses = [post(client, AVERAGES, cost_header=cost_header) for cost_header in (None, "report", None, "report")]
    plain, reported = responses[2:]
    assert [response.json() for response in responses] == [plain.json(), reported.json()] * 2
    assert "extensions" not in plain.json()
    day = '{"averagePrice":-2.2250738585072014e-308,"priceCount":-2147483648,},'
    size = len('{"data":{"averagePrices":null,}}') + 2 * len(day)
    expected = {"cost": {"requested": 2, "maximum": MAXIMUM}, "bytes": {"requested": size, "maximum": 32_000_000}}
    assert reported.json() == {**plain.json(), "extensions": expected}
    assert "cache-status" not in reported.headers
    address = client.http.get("/graphql", params={"query": AVERAGES}, headers={"GraphQL-Cost": "report"})
    assert address.json() == reported.json()
    assert "etag" not in address.headers


def test_query_cost_only_requests_execute_nothing(client: Client) -> None:
    assert estimate_cost(client, UPLOAD, {"input": {"prices": [VALID_ITEM]}}) > 0
    assert client.ask("{ batches { totalCount } }") == {"batches": {"totalCount": 0}}


def test_query_cost_at_the_limit_is_accepted_and_above_it_rejected(client: Client) -> None:
    at_limit = f"{{ a: {YEAR} {{ day }} b: {YEAR} {{ day }} batches(first: 268) {{ edges {{ cursor }} }} }}"
    assert estimate_cost(client, at_limit) == MAXIMUM
    assert len(client.ask(at_limit)["a"]) == 366
    above = at_limit.replace("268", "269")
    refused = {"code": "QUERY_TOO_COSTLY", "cost": MAXIMUM + 1, "maxCost": MAXIMUM}
    assert client.fail(above)["extensions"] == refused
    assert estimate_cost(client, above) == MAXIMUM + 1
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        assert client.http.post("/graphql", json={"query": above}, headers={"Accept": accept}).status_code == status


def test_query_cost_limit_applies_to_sse_and_websocket_operations(client: Client) -> None:
    lanes = "lanes(first: 500) { edges { node { origin { code } } } }"
    watch = f'subscription {{ batchProgress(id: "1") {{ {lanes} }} }}'
    for query in (OVER_LIMIT, watch):
        response = client.http.post("/graphql", json={"query": query}, headers={"Accept": "text/event-stream"})
        (event,) = sse_results(response)
        with open_socket(str(client.http.base_url)) as socket:
            subscribe(socket, query, {})
            (message,) = operation_results(socket)
        for answer in (event, message):
            assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_COSTLY"


def test_query_cost_header_with_an_unknown_value_is_rejected_with_400(client: Client) -> None:
    answer = post(client, AVERAGES, cost_header="please")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_PARAMETER"}


@pytest.mark.parametrize(("wrong", "left_out"), [(3, None), (4, "1 more"), (5, "2 more")])
def test_response_errors_above_the_limit_are_only_counted(client: Client, wrong: int, left_out: str | None) -> None:
    unknown = 'averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "x", destination: "y") { day }'
    answer = client.post("{ " + " ".join(f"a{number}: {unknown}" for number in range(wrong)) + " }")
    assert answer["data"] == {f"a{number}": None for number in range(wrong)}
    codes = [error["extensions"]["code"] for error in answer["errors"]]
    assert codes == ["UNKNOWN_LOCATION"] * 3 + ["TOO_MANY_ERRORS"] * (left_out is not None)
    assert (left_out or "") in answer["errors"][-1]["message"]
