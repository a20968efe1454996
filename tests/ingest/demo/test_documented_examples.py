"""Examples of the documentation, run against the demo data: each must return data."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.code.source import ROOT
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.streams import sse_results

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = re.compile(r"<!-- demo data -->\n\n```(?P<language>\w+)\n(?P<text>.*?)\n```\n", re.DOTALL)
"""A marked example: a GraphQL document, or a call of curl."""
URL_QUERY = re.compile(r"--data-urlencode 'query=(?P<query>[^']*)'")
BODY = re.compile(r"-d '(?P<body>\{.*\})'")


def query_of(example: re.Match[str]) -> str:
    """Return the GraphQL document of an example."""
    text = example["text"]
    if example["language"] == "graphql":
        return text
    if in_url := URL_QUERY.search(text):
        return in_url["query"]
    in_body = BODY.search(text)
    assert in_body, text
    query: str = json.loads(in_body["body"])["query"]
    return query


def documented_examples() -> Iterator[tuple[str, str]]:
    """Yield the page and the GraphQL document of each example."""
    for page in PAGES:
        for example in EXAMPLE.finditer(page.read_text(encoding="utf-8")):
            yield Path(page).relative_to(ROOT).as_posix(), query_of(example)


EXAMPLES = list(documented_examples())


@pytest.fixture(scope="module")
def client(demo_url: str) -> Iterator[Client]:
    """A server over the demo data."""
    with running_server(demo_url) as client:
        yield client


def assert_not_empty(value: object) -> None:
    """Check that an answer contains no null and no empty list."""
    assert value is not None
    assert value != []
    if isinstance(value, dict):
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        assert_not_empty(each)


@pytest.mark.parametrize("query", [query for _, query in EXAMPLES], ids=[page for page, _ in EXAMPLES])
def test_documented_example_shows_demo_data(client: Client, query: str) -> None:
    if query.startswith("subscription"):
        with client.http.stream(
            "POST", "/graphql", json={"query": query}, headers={"Accept": "text/event-stream"}
        ) as response:
            data: Json = next(iter(sse_results(response)))["data"]
    else:
        data = client.ask(query)
    assert_not_empty(data)


def test_documented_examples_are_found_in_readme_tutorial_and_guides() -> None:
    pages = {page for page, _ in EXAMPLES}
    assert {"README.md", "docs/tutorial/first-query.md", "docs/how-to/graphql-clients.md"} <= pages
    assert any("malmo" in query for page, query in EXAMPLES if page == "README.md")


@pytest.mark.parametrize(
    ("search", "key"),
    [
        ("malmo", "SEMMA"), ("sao paulo", "BRSAO"), ("le havre", "FRLEH"), ("SHANGHAI", "CNSGH"), ("yantian", "CNYTN"),
        ("antwerp", "BEANR"), ("jebel ali", "AEJEA"), ("nhava", "INNSA"), ("goteborg", "SEGOT"), ("nlrtm", "NLRTM"),
    ],
)  # fmt: skip
def test_demo_data_is_found_without_case_and_accents(client: Client, search: str, key: str) -> None:
    query = "query ($search: String!) { locations(search: $search) { edges { node { key } } } }"
    edges = client.ask(query, search=search)["locations"]["edges"]
    assert key in [edge["node"]["key"] for edge in edges]


@pytest.mark.parametrize(
    ("search", "keys"),
    [
        ("NL", ["NLRTM"]),
        ("usa", ["us_east_coast", "us_gulf", "us_west_coast"]),
        ("CNSHA", ["CNSGH"]),
        ("us", ["us_east_coast", "us_gulf"]),
    ],
)
def test_demo_data_search_begins_with_the_expected_locations(client: Client, search: str, keys: list[str]) -> None:
    query = "query ($search: String!) { locations(search: $search) { edges { node { key } } } }"
    edges = client.ask(query, search=search)["locations"]["edges"]
    assert [edge["node"]["key"] for edge in edges[: len(keys)]] == keys


@pytest.mark.parametrize(
    ("origin", "destination"),
    [
        ("CNSGH", "NLRTM"),
        ("CNSGH", "USLAX"),
        ("KRPUS", "DEHAM"),
        ("BRSSZ", "ZADUR"),
        ("AUSYD", "AEJEA"),
        ("HKHKG", "USNYC"),
    ],
)
def test_demo_data_has_averages_in_both_directions_of_famous_lanes(
    client: Client, origin: str, destination: str
) -> None:
    query = """query ($origin: String!, $destination: String!) { averagePrices(
        dateFrom: "2025-12-01", dateTo: "2026-07-15", origin: $origin, destination: $destination) { averagePrice } }"""
    for lane in (origin, destination), (destination, origin):
        assert_not_empty(client.ask(query, origin=lane[0], destination=lane[1]))


def test_lane_of_the_upload_tutorial_has_no_demo_prices(client: Client) -> None:
    query = """{ averagePrices(dateFrom: "2025-12-01", dateTo: "2026-07-15", origin: "SEMMA", destination: "BRSAO") {
        priceCount } }"""
    assert {day["priceCount"] for day in client.ask(query)["averagePrices"]} == {0}
