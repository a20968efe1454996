"""Aliases of locations in every query, over real HTTP, WebSocket and event streams."""

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

import psycopg
import pytest
from graphql import GraphQLInputObjectType, get_named_type

from graph.schema import schema
from tests.support.batches.aliases import load_aliased_world
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.http.subscriptions import each_transport
from tests.support.streams import open_subscription

DAYS = 'dateFrom: "2024-01-01", dateTo: "2024-01-01"'
LANE = 'origin: "CNSGH", destination: "BEANR"'
FIELDS = {
    "averagePrices": f"averagePrices({DAYS}, {LANE}) {{ day averagePrice priceCount medianPrice }}",
    "priceSeries": (
        f"priceSeries({DAYS}, lanes: [{{{LANE}}}]) {{ lanes {{ askedOrigin {{ key }} origin {{ key }}"
        " destination { key } averages medians } }"
    ),
    "coverage": f"coverage({LANE}) {{ origin {{ key }} destination {{ key }} priceCount }}",
    "laneMatrix": (
        f'laneMatrix({DAYS}, origins: ["CNSGH"], destinations: ["BEANR"])'
        " { origins { key } destinations { key } averages counts }"
    ),
    "benchmark": f'benchmark({LANE}, price: "30", dateFrom: "2024-01-01") {{ count marketAverage percentileRank }}',
    "lanes": f"lanes({LANE}) {{ totalCount edges {{ node {{ origin {{ key }} destination {{ key }} }} }} }}",
    "location": 'location(key: "CNSGH") { key name ancestors { key } }',
    "port": 'port(code: "CNSGH") { code parent { slug } }',
    "region": 'region(slug: "asia") { slug ports { code } }',
}
"""A query of each field that takes keys of locations."""
KEY_ARGUMENTS = {"origin", "destination", "origins", "destinations", "key", "code", "slug", "lanes"}


class Spelling(NamedTuple):
    """Aliases of Shanghai, Antwerp and Asia."""

    shanghai: str
    antwerp: str
    asia: str = "asia"

    def keys(self, text: str) -> dict[str, str]:
        """Return the key of each alias in the text."""
        named = {self.shanghai: "CNSGH", self.antwerp: "BEANR", self.asia: "asia"}
        return {alias: key for alias, key in named.items() if f'"{alias}"' in text and alias.lower() != key.lower()}


SPELLINGS = [
    Spelling("CNSHA", "Antwerp"),
    Spelling("cn sha", "ANVERS"),
    Spelling("Shanghai", "antwerpen"),
    Spelling("上海", "Amberes", "Asia!"),
]


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a client of a server over the world with aliases."""
    load_aliased_world(module_database_url)
    with running_server(module_database_url) as client:
        yield client


def with_aliases(text: str, spelling: Spelling) -> str:
    """Return a query with aliases instead of keys."""
    for key, alias in (("CNSGH", spelling.shanghai), ("BEANR", spelling.antwerp), ("asia", spelling.asia)):
        text = text.replace(f'"{key}"', f'"{alias}"')
    return text


def test_alias_queries_cover_every_field_that_takes_a_key() -> None:
    query = schema._schema.query_type
    assert query is not None
    taking = set()
    for name, field in query.fields.items():
        for argument, definition in field.args.items():
            named = get_named_type(definition.type)
            if argument in KEY_ARGUMENTS or (isinstance(named, GraphQLInputObjectType) and "origin" in named.fields):
                taking.add(name)
    assert taking == set(FIELDS)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.shanghai)
@pytest.mark.parametrize("name", FIELDS)
def test_query_with_aliases_equals_the_query_with_keys_and_reports_the_keys(
    client: Client, name: str, spelling: Spelling
) -> None:
    plain = client.post(f"{{ {FIELDS[name]} }}")
    assert "extensions" not in plain
    text = with_aliases(f"{{ {FIELDS[name]} }}", spelling)
    answer = client.post(text)
    assert answer["data"] == plain["data"]
    assert answer["data"][name]
    keys = spelling.keys(text)
    assert answer.get("extensions", {}) == ({"locationAliases": keys} if keys else {})


def test_query_with_aliases_reports_them_from_the_response_cache_too(client: Client) -> None:
    text = with_aliases(f"{{ {FIELDS['averagePrices']} }}", SPELLINGS[0])
    first, second = (client.http.post("/graphql", json={"query": text}) for _ in range(2))
    assert "hit" in second.headers["cache-status"]
    assert first.content == second.content
    assert second.json()["extensions"] == {"locationAliases": {"CNSHA": "CNSGH", "Antwerp": "BEANR"}}


def test_query_with_an_alias_and_the_cost_reports_both(client: Client) -> None:
    body = {"query": '{ location(key: "Saigon") { key } }'}
    answer = client.http.post("/graphql", json=body, headers={"GraphQL-Cost": "report"}).json()
    assert answer["data"] == {"location": {"key": "VNSGN"}}
    assert answer["extensions"].keys() == {"cost", "bytes", "locationAliases"}


@each_transport
def test_query_over_a_stream_reports_its_aliases(client: Client, transport: str) -> None:
    with open_subscription(
        str(client.http.base_url), transport, "query ($key: String!) { location(key: $key) { key } }", key="Saigon"
    ) as results:
        [answer] = results
    assert answer["data"] == {"location": {"key": "VNSGN"}}
    assert answer["extensions"] == {"locationAliases": {"Saigon": "VNSGN"}}


@each_transport
def test_subscription_to_an_aliased_lane_names_its_locations(client: Client, transport: str) -> None:
    query = """subscription ($origin: String!) {
      pricesChanged(origin: $origin, destination: "nowhere at all") { batch { number } } }"""
    with open_subscription(str(client.http.base_url), transport, query, origin="CNSHA") as results:
        [answer] = results
    # The origin is known by its alias; only the destination is unknown.
    assert answer["errors"][0]["extensions"]["argument"] == "destination"


def test_series_file_of_an_alias_has_the_asked_alias_and_the_key(client: Client) -> None:
    answer = client.http.get("/series.csv?lane=CNSHA:Anvers&dateFrom=2024-01-01&dateTo=2024-01-01")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert [row[name] for name in ("asked_origin", "asked_destination", "origin", "destination", "average")] == [
        *("CNSHA", "Anvers", "CNSGH", "BEANR", "30.0")
    ]


@pytest.mark.parametrize(
    ("typed", "suggestions"),
    [("Manzanillo", ["MXZLO", "PAMIT"]), ("usa", ["us_gulf", "us_west_coast"]), ("Antwerpp", ["BEANR"])],
)
def test_location_that_several_or_none_are_called_is_unknown_with_suggestions(
    client: Client, typed: str, suggestions: list[str]
) -> None:
    query = f'query ($origin: String!) {{ averagePrices({DAYS}, origin: $origin, destination: "europe") {{ day }} }}'
    failure = client.fail(query, origin=typed)
    assert failure["extensions"]["code"] == "UNKNOWN_LOCATION"
    assert failure["extensions"]["suggestions"] == suggestions
    assert client.ask("query ($key: String!) { location(key: $key) { key } }", key=typed) == {"location": None}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CNSHA", ["CNSGH"]),
        ("cn sha", ["CNSGH"]),
        ("Anvers", ["BEANR"]),
        ("saig", ["VNSGN"]),
        ("usa", ["us_gulf", "us_west_coast", "KRPUS"]),
        ("Manzanillo", ["MXZLO", "PAMIT"]),
        ("cnsh", ["CNSGH"]),
    ],
)
def test_location_search_finds_aliases_by_words_that_begin_with_the_text(
    client: Client, text: str, found: list[str]
) -> None:
    query = "query ($text: String!) { locations(search: $text) { edges { node { key } } } }"
    edges = client.ask(query, text=text)["locations"]["edges"]
    assert [edge["node"]["key"] for edge in edges] == found


def test_global_id_with_an_alias_is_no_object(client: Client) -> None:
    # Port:CNSHA
    answer = client.post('{ node(id: "UG9ydDpDTlNIQQ==") { id } }')
    assert answer == {"data": {"node": None}}


def test_move_of_an_alias_is_refused(client: Client) -> None:
    query = 'mutation { moveLocation(key: "CNSHA", parentSlug: "europe") { userErrors { code message } } }'
    problem = {"code": "UNKNOWN_LOCATION", "message": 'unknown location "CNSHA"'}
    assert client.ask(query) == {"moveLocation": {"userErrors": [problem]}}


def test_port_that_is_added_later_wins_against_its_alias(database_url: str) -> None:
    load_aliased_world(database_url)
    query = '{ location(key: "CNSHA") { key } }'
    with running_server(database_url) as client:
        assert client.ask(query) == {"location": {"key": "CNSGH"}}
        port: Json = {"code": "CNSHA", "name": "Shanghai Hongqiao", "parentSlug": "asia"}
        add = "mutation ($ports: [PortInput!]!) { upsertPorts(ports: $ports) { addedCount } }"
        assert client.ask(add, ports=[port]) == {"upsertPorts": {"addedCount": 1}}
        assert client.post(query) == {"data": {"location": {"key": "CNSHA"}}}
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM location_aliases WHERE alias = 'cnsha'").fetchone() == (2,)
