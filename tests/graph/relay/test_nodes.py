"""Objects by global ID: refetched by `node` and `nodes`, and batches by ID or number."""

from collections.abc import Iterator
from typing import Any

import pytest

from resolvers.relay.global_ids import encode_batch_id, encode_global_id
from tests.support.batches.mutations import REVERT
from tests.support.batches.uploads import VALID_ITEM, create_locations, upload
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.tokens import authorization_header, create_api_token

MAX_PAGE_SIZE = 20
NODE = """query ($id: ID!) { node(id: $id) {
  __typename id ... on Location { key } ... on Port { code } ... on Region { slug } ... on PriceBatch { number status }
} }"""
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
SHANGHAI, CHINA = encode_global_id("Port", "CNSGH"), encode_global_id("Region", "china")
MALFORMED = ["", "1", "CNSGH", "?", "a" * 201, "\x00", encode_global_id("Lane", "1"), SHANGHAI.rstrip("=")]
UNKNOWN = [
    encode_global_id("Port", "CNXXX"),
    encode_global_id("Port", "cnsgh"),
    encode_global_id("Port", " CNSGH"),
    encode_global_id("Port", "CN\x00GH"),
    encode_global_id("Port", "china"),
    encode_global_id("Region", "CNSGH"),
    encode_batch_id(999),
    encode_global_id("PriceBatch", "01"),
    encode_global_id("PriceBatch", "x"),
]


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """A server over four locations and batch 1."""
    create_locations(module_database_url)
    with (
        running_server(module_database_url, max_page_size=MAX_PAGE_SIZE) as client,
        running_worker(module_database_url),
    ):
        upload(client, VALID_ITEM, idempotencyKey="first")
        yield client


def test_node_returns_the_object_of_each_type(client: Client) -> None:
    expected: list[Json] = [
        {"__typename": "Port", "id": SHANGHAI, "key": "CNSGH", "code": "CNSGH"},
        {"__typename": "Region", "id": CHINA, "key": "china", "slug": "china"},
        {"__typename": "PriceBatch", "id": encode_batch_id(1), "number": 1, "status": "APPLIED"},
    ]
    assert [client.ask(NODE, id=node["id"])["node"] for node in expected] == expected


def test_node_ids_of_all_paths_to_an_object_are_equal(client: Client) -> None:
    query = """{
      location(key: "cnsgh") { id } port(code: "CNSGH") { id parent { id } region: ancestors { id } }
      region(slug: "CHINA") { id children { id } ports { id } } locations(search: "CNSGH") { edges { node { id } } }
      batch(id: "1") { id lanes { edges { node { origin { id } } } } } batches { edges { node { id } } }
      batchByKey(idempotencyKey: "first") { id }
    }"""
    port, region, batch = {"id": SHANGHAI}, {"id": CHINA}, {"id": encode_batch_id(1)}
    lanes = {"edges": [{"node": {"origin": port}}]}
    assert client.ask(query) == {
        "location": port,
        "port": {**port, "parent": region, "region": [region]},
        "region": {**region, "children": [port], "ports": [port]},
        "locations": {"edges": [{"node": port}]},
        "batch": {**batch, "lanes": lanes},
        "batches": {"edges": [{"node": batch}]},
        "batchByKey": batch,
    }


@pytest.mark.parametrize("text", MALFORMED)
def test_node_with_a_malformed_id_is_a_client_error(client: Client, text: str) -> None:
    failure = client.fail(NODE, id=text)
    assert (failure["path"], failure["extensions"]) == (
        ["node"],
        {"code": "INVALID_ID", "argument": "id", "variable": "id"},
    )


@pytest.mark.parametrize("text", UNKNOWN)
def test_node_with_an_unknown_id_is_null(client: Client, text: str) -> None:
    assert client.ask(NODE, id=text) == {"node": None}


def test_nodes_are_returned_in_order_with_an_error_for_each_malformed_id(client: Client) -> None:
    ids = [encode_batch_id(1), "?", CHINA, UNKNOWN[0], encode_batch_id(1), SHANGHAI]
    answer = client.post(NODES, {"ids": ids})
    found = [None if node is None else node["id"] for node in answer["data"]["nodes"]]
    assert found == [ids[0], None, CHINA, None, ids[0], SHANGHAI]
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]) == (
        ["nodes", 1],
        {"code": "INVALID_ID", "argument": "ids", "variable": "ids"},
    )


def test_nodes_with_many_malformed_ids_fail_with_one_error(module_database_url: str, client: Client) -> None:
    assert len(client.post(NODES, {"ids": ["?"] * MAX_PAGE_SIZE})["errors"]) == MAX_PAGE_SIZE
    with running_server(module_database_url) as default:
        answer = default.post(NODES, {"ids": ["?"] * 21 + [CHINA]})
    assert answer["data"] == {"nodes": None}
    (error,) = answer["errors"]
    assert error["path"] == ["nodes"]
    assert error["message"].endswith("21 of the 22 IDs failed.")
    assert error["extensions"] == {"code": "INVALID_ID", "argument": "ids", "variable": "ids"}


def test_nodes_are_limited_in_number(client: Client) -> None:
    assert client.ask(NODES, ids=[]) == {"nodes": []}
    assert len(client.ask(NODES, ids=[CHINA] * MAX_PAGE_SIZE)["nodes"]) == MAX_PAGE_SIZE
    failure = client.fail(NODES, ids=[CHINA] * (MAX_PAGE_SIZE + 1))
    assert failure["message"].endswith(f"(got {MAX_PAGE_SIZE + 1}); send several requests.")
    assert failure["extensions"] == {"code": "TOO_MANY_IDS", "argument": "ids", "variable": "ids"}


def test_node_refetches_pages_of_a_batch(client: Client) -> None:
    query = (
        "query ($id: ID!) { node(id: $id) { ... on PriceBatch { lanes(last: 1) { totalCount edges { cursor } } } } }"
    )
    lanes = client.ask(query, id=encode_batch_id(1))["node"]["lanes"]
    assert (lanes["totalCount"], len(lanes["edges"])) == (1, 1)


def test_node_of_a_batch_requires_the_upload_scope_whether_it_exists_or_not(
    client: Client,  # noqa: ARG001
    module_database_url: str,
) -> None:
    ids = [encode_batch_id(1), encode_batch_id(999), CHINA]
    with running_server(module_database_url, writes_are_open=False) as guarded:
        for headers, code in (
            ({}, "UNAUTHENTICATED"),
            (authorization_header(create_api_token(module_database_url, "read")), "FORBIDDEN"),
        ):
            guarded.http.headers.update(headers)
            assert guarded.fail(NODE, id=ids[0])["extensions"] == {"code": code}
            answer = guarded.post(NODES, {"ids": ids})
            assert answer["data"]["nodes"] == [None, None, {"__typename": "Region", "id": CHINA}]
            errors = [(error["extensions"], error["path"]) for error in answer["errors"]]
            assert errors == [({"code": code}, ["nodes", 0]), ({"code": code}, ["nodes", 1])]


@pytest.mark.parametrize("id_", [1, "1", encode_batch_id(1)])
def test_batch_query_accepts_number_and_global_id(client: Client, id_: Any) -> None:  # noqa: ANN401
    assert client.ask("query ($id: ID!) { batch(id: $id) { number } }", id=id_) == {"batch": {"number": 1}}


@pytest.mark.parametrize("id_", ["01", "+1", " 1", SHANGHAI])
def test_batch_query_with_another_spelling_or_type_of_id_is_null(client: Client, id_: str) -> None:
    assert client.ask("query ($id: ID!) { batch(id: $id) { number } }", id=id_) == {"batch": None}


def test_batch_revert_accepts_number_and_global_id(client: Client) -> None:
    for key in ("id", "number"):
        batch = upload(client, VALID_ITEM)["batch"]
        assert client.ask(REVERT, id=batch[key])["revertBatch"]["batch"]["status"] == "REVERTED"
