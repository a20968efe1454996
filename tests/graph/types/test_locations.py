"""Locations over real HTTP: the region tree, search and pagination."""

from collections.abc import Iterator

import pytest

from tests.support.fixtures.server import Client, Json
from tests.support.http.tree_server import tree_server

TREE = [
    ("europe", "Europe", None),
    ("scandinavia", "Scandinavia", "europe"),
    ("sweden_south", "Sweden South", "scandinavia"),
    ("nowhere", "Nowhere", None),
    ("SEMMA", "Malmö", "sweden_south"),
    ("SEGOT", "Göteborg", "scandinavia"),
    ("NOTOS", "Tromsø", "scandinavia"),
    ("NLRTM", "Rotterdam", "europe"),
]
SEARCH = """
query ($search: String, $kind: LocationKind, $first: Int! = 50, $after: String) {
  locations(search: $search, kind: $kind, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage hasPreviousPage endCursor } edges { cursor node { key name } }
  }
}
"""


@pytest.fixture(scope="module")
def client(postgres: str, template: str) -> Iterator[Client]:
    """A read-only server over the tree, shared by all tests of the module."""
    with tree_server(postgres, template, TREE) as client:
        yield client


def search(client: Client, text: str | None = None, **variables: object) -> list[str]:
    """Return the keys of the search results."""
    return [edge["node"]["key"] for edge in client.ask(SEARCH, search=text, **variables)["locations"]["edges"]]


def test_location_query_returns_a_port_or_region_with_its_own_fields(client: Client) -> None:
    query = """query ($key: String!) { location(key: $key) {
        __typename key name ... on Port { code } ... on Region { slug } parent { slug } ancestors { slug } } }"""
    assert client.ask(query, key=" semma ")["location"] == {
        "__typename": "Port",
        "key": "SEMMA",
        "name": "Malmö",
        "code": "SEMMA",
        "parent": {"slug": "sweden_south"},
        "ancestors": [{"slug": "sweden_south"}, {"slug": "scandinavia"}, {"slug": "europe"}],
    }
    assert client.ask(query, key="EUROPE")["location"] == {
        "__typename": "Region",
        "key": "europe",
        "name": "Europe",
        "slug": "europe",
        "parent": None,
        "ancestors": [],
    }
    assert client.ask(query, key="atlantis") == {"location": None}


def test_location_port_and_region_queries_return_null_for_the_other_kind(client: Client) -> None:
    query = "query ($key: String!) { port(code: $key) { code } region(slug: $key) { slug } }"
    assert client.ask(query, key="NLRTM") == {"port": {"code": "NLRTM"}, "region": None}
    assert client.ask(query, key="europe") == {"port": None, "region": {"slug": "europe"}}


def test_region_lists_its_children_and_all_descendant_ports(client: Client) -> None:
    region = client.ask('{ region(slug: "europe") { children { key } ports { code } } }')["region"]
    assert [child["key"] for child in region["children"]] == ["NLRTM", "scandinavia"]
    assert [port["code"] for port in region["ports"]] == ["SEGOT", "SEMMA", "NLRTM", "NOTOS"]
    empty = client.ask('{ region(slug: "nowhere") { children { key } ports { code } } }')["region"]
    assert empty == {"children": [], "ports": []}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("malmo", ["SEMMA"]),
        ("MALMÖ", ["SEMMA"]),
        ("tromso", ["NOTOS"]),
        ("semma", ["SEMMA"]),
        ("dam", ["NLRTM"]),
        ("sweden_south", ["sweden_south"]),
        ("%", []),
        ("_", ["sweden_south"]),
        ("\\", []),
        ("' OR 1=1 --", []),
        ("a\x00", []),
    ],
)
def test_location_search_ignores_case_and_accents_and_escapes_wildcards(
    client: Client, text: str, found: list[str]
) -> None:
    assert search(client, text) == found


def test_location_search_filters_by_kind_and_ignores_blank_text(client: Client) -> None:
    assert search(client, kind="REGION") == ["europe", "nowhere", "scandinavia", "sweden_south"]
    assert len(search(client, kind="PORT")) == 4
    assert len(search(client, "  ")) == len(search(client)) == 8


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_location_pages_concatenate_to_the_full_list(client: Client, size: int) -> None:
    keys: list[str] = []
    after = None
    while True:
        page: Json = client.ask(SEARCH, first=size, after=after)["locations"]
        assert page["totalCount"] == 8
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        keys += [edge["node"]["key"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        assert len(page["edges"]) == size
    assert keys == search(client)


def test_location_page_after_an_empty_cursor_is_the_first_page(client: Client) -> None:
    first, empty = client.ask(SEARCH, first=2, after=None), client.ask(SEARCH, first=2, after="")
    assert first == empty
    assert empty["locations"]["pageInfo"]["hasPreviousPage"] is False


@pytest.mark.parametrize("after", [" ", "x", "bG9jYXRpb246", "YmF0Y2g6MQ==", "bG9jYXRpb246eA==", "é", "=" * 999])
def test_location_cursor_that_is_invalid_is_rejected(client: Client, after: str) -> None:
    failure = client.fail(SEARCH, after=after)
    assert failure["extensions"] == {"code": "INVALID_CURSOR", "argument": "after", "variable": "after"}


def test_location_page_after_a_cursor_beyond_every_id_is_empty(client: Client) -> None:
    assert client.ask(SEARCH, after="bG9jYXRpb246OTk5OTk5OTk5OTk5OTk5OTk5")["locations"]["edges"] == []


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1])
def test_location_page_size_outside_the_limits_is_rejected(client: Client, first: int) -> None:
    assert client.fail(SEARCH, first=first)["extensions"]["code"] == "INVALID_PAGE_SIZE"
