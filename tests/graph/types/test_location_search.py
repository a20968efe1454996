"""Ranking of location searches over real HTTP, and against a ranking in plain Python."""

import asyncio
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.pool import INGEST, connect
from db.repositories import locations
from domain.locations import LocationKind
from domain.pages import PageRequest
from graph.relay.connections import encode_cursor
from tests.support.fixtures.server import Client
from tests.support.http.tree_server import tree_server

SEARCH = """
query ($search: String, $kind: LocationKind, $first: Int, $after: String, $last: Int, $before: String) {
  locations(search: $search, kind: $kind, first: $first, after: $after, last: $last, before: $before) {
    totalCount pageInfo { hasNextPage hasPreviousPage } edges { cursor node { key } }
  }
}
"""
TREE = [
    ("world", "World", None),
    ("us_gulf", "US Gulf", "world"),
    ("us_west_coast", "US West Coast", "world"),
    ("nl", "Low Countries", "world"),
    ("north_europe_main", "North Europe Main", "world"),
    ("manila_bay", "Manila Bay", "world"),
    ("CNLYG", "Lianyungang", "world"),
    ("PHMNL", "Manila", "world"),
    ("NLRTM", "Rotterdam", "world"),
    ("NLAMS", "Amsterdam", "world"),
    ("KRPUS", "Busan", "world"),
    ("USLAX", "Los Angeles", "world"),
    ("USNYC", "New York/New Jersey", "world"),
    ("NZAKL", "Auckland", "world"),
    ("DKCPH", "Copenhagen (København)", "world"),
    ("RUULU", "Ust'-Luga", "world"),
]


@pytest.fixture(scope="module")
def client(postgres: str, template: str) -> Iterator[Client]:
    """A read-only server over the tree, shared by all tests of the module."""
    with tree_server(postgres, template, TREE) as client:
        yield client


def search(client: Client, text: str, **variables: object) -> list[str]:
    """Return the keys of the matches."""
    return [edge["node"]["key"] for edge in client.ask(SEARCH, search=text, **variables)["locations"]["edges"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # The key itself, keys that begin with the text, then the other parts of names and keys.
        ("NL", ["nl", "NLAMS", "NLRTM", "CNLYG", "PHMNL"]),
        ("us", ["us_gulf", "us_west_coast", "USLAX", "USNYC", "RUULU", "KRPUS"]),
        ("krpus", ["KRPUS"]),
        ("kr pus", ["KRPUS"]),
        # Regions precede ports of the same rank, and the key of a port precedes a region by name.
        ("man", ["manila_bay", "PHMNL"]),
        ("phm", ["PHMNL"]),
        # Words of names and slugs, split at blanks, underscores, hyphens, slashes and brackets.
        ("west", ["us_west_coast"]),
        ("new j", ["USNYC"]),
        ("new-york", ["USNYC"]),
        ("north europe", ["north_europe_main"]),
        ("kobenh", ["DKCPH"]),
        ("KØBENH", ["DKCPH"]),
        ("luga", ["RUULU"]),
        ("land", ["NZAKL"]),
        # A separator at the end completes the word.
        ("us_", ["us_gulf", "us_west_coast"]),
        ("us ", ["us_gulf", "us_west_coast", "USLAX", "USNYC", "RUULU", "KRPUS"]),
        ("dam", ["NLAMS", "NLRTM"]),
        ("nothing", []),
        ("\u200b", []),
    ],
)
def test_location_search_ranks_keys_then_beginnings_of_words_then_the_rest(
    client: Client, text: str, found: list[str]
) -> None:
    assert search(client, text) == found


def test_location_search_of_one_kind_keeps_the_ranking(client: Client) -> None:
    assert search(client, "nl", kind="PORT") == ["NLAMS", "NLRTM", "CNLYG", "PHMNL"]
    assert search(client, "nl", kind="REGION") == ["nl"]


def test_location_search_pages_follow_the_ranking_in_both_directions(client: Client) -> None:
    ranked = search(client, "us")
    for size in (1, 2, 5):
        keys: list[str] = []
        after = None
        while len(keys) < len(ranked):
            page = client.ask(SEARCH, search="us", first=size, after=after)["locations"]
            assert page["totalCount"] == len(ranked)
            keys += [edge["node"]["key"] for edge in page["edges"]]
            after = page["edges"][-1]["cursor"]
            assert page["pageInfo"]["hasNextPage"] is (len(keys) < len(ranked))
        assert keys == ranked
        before = client.ask(SEARCH, search="us", last=1)["locations"]["edges"][0]["cursor"]
        assert search(client, "us", last=size, before=before) == ranked[:-1][-size:]


def test_location_search_cursor_of_another_search_lies_behind_all_matches(client: Client) -> None:
    [other] = client.ask(SEARCH, search="copenhagen")["locations"]["edges"]
    page = client.ask(SEARCH, search="nl", after=other["cursor"])["locations"]
    assert (page["edges"], page["totalCount"]) == ([], 5)
    assert search(client, "nl", before=other["cursor"]) == search(client, "nl")
    assert (
        search(client, "nl", kind="PORT", after=client.ask(SEARCH, search="nl")["locations"]["edges"][0]["cursor"])
        == []
    )


@pytest.mark.parametrize("number", [0, 10**9, 2**31, 10**18 - 1])
def test_location_search_cursor_of_no_location_yields_an_empty_page(client: Client, number: int) -> None:
    page = client.ask(SEARCH, search="nl", after=encode_cursor("location", number))["locations"]
    assert (page["edges"], page["totalCount"], page["pageInfo"]["hasNextPage"]) == ([], 5, False)


class Place(NamedTuple):
    """Location of the property test."""

    key: str
    name: str


SEPARATORS = [" ", "_", "-", "/", "."]
PARTS = ["us", "USA", "usan", "b", "nl", "Nö", "ns", "å"]
PLACE_NAMES = st.lists(st.sampled_from([*PARTS, *SEPARATORS]), min_size=1, max_size=6).map("".join)
PORT_KEYS = st.text("NLUSA", min_size=5, max_size=5)
ALIASES = st.lists(st.sampled_from(["us", "usa", "no", "lu"]), min_size=1, max_size=3).map(" ".join)
REGION_KEYS = st.lists(st.sampled_from(["us", "usa", "nl", "b", "lu"]), min_size=1, max_size=3).map("_".join)


def fold(text: str) -> str:
    """Return the text in lower case without accents."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", text).lower() if not unicodedata.combining(letter)
    )


def rank(place: Place, aliases: Sequence[str], text: str) -> int | None:
    """Return the rank of a place by the documented rules, or None without a match."""
    text = fold(text.strip())
    key, searched = place.key.lower(), f"{fold(place.name)} {place.key.lower()}"
    code = re.sub(r"^([a-z]{2})\s+([a-z2-9]{3})$", r"\1\2", text)
    words = re.sub(r"[^a-z0-9]+", " ", text).lstrip()
    if key == code or words in aliases or code in aliases:
        return 0
    if key.startswith(code):
        return 1
    pattern = r"(?<![a-z0-9])" + r"[^a-z0-9]+".join(
        re.escape(word) for word in re.split(r"[^a-z0-9]+", text.lstrip("".join(SEPARATORS)))
    )
    if words and (re.search(pattern, searched) or any(f" {words}" in f" {alias}" for alias in aliases)):
        return 2
    return 3 if text in searched else None


def expected(places: Sequence[Place], aliases: Sequence[tuple[str, str]], text: str) -> list[str]:
    """Return the keys of the matches in the documented order."""
    ranked = [
        (number, place.key.isupper(), f"{fold(place.name)} {place.key.lower()}", position, place.key)
        for position, place in enumerate(places)
        if (number := rank(place, [alias for alias, key in aliases if key == place.key], text)) is not None
    ]
    return [key for *_, key in sorted(ranked)]


@settings(max_examples=60)
@given(data=st.data())
def test_location_search_orders_and_pages_as_a_ranking_in_plain_python(
    module_database_url: str, data: st.DataObject
) -> None:
    names = st.tuples(st.one_of(PORT_KEYS, REGION_KEYS), PLACE_NAMES).map(lambda pair: Place(*pair))
    places = data.draw(st.lists(names, max_size=10, unique_by=lambda place: place.key.lower()), label="places")
    keys = st.sampled_from([place.key for place in places] or ["XXXXX"])
    aliases = data.draw(st.lists(st.tuples(ALIASES, keys), max_size=4, unique=True), label="aliases")
    text = data.draw(
        st.one_of(ALIASES, PLACE_NAMES, PORT_KEYS, REGION_KEYS, st.sampled_from(SEPARATORS[1:])), label="text"
    )
    size = data.draw(st.integers(1, 4), label="size")
    is_backward = data.draw(st.booleans(), label="backward")
    ends = data.draw(st.tuples(*[st.none() | st.integers(0, max(len(places) - 1, 0))] * 2), label="ends")

    async def check(connection: Connection) -> None:
        await connection.execute(b"TRUNCATE locations, location_aliases RESTART IDENTITY CASCADE")
        await locations.insert_aliases(connection, [(alias, key, "test") for alias, key in aliases])
        kinds = [LocationKind.PORT if place.key.isupper() else LocationKind.REGION for place in places]
        await locations.upsert_locations(
            connection, [(kind, *place) for kind, place in zip(kinds, places, strict=True)]
        )
        ids = {location.key: location.id for location in await locations.list_locations(connection)}
        matches = expected(places, aliases, text)
        after, before = (None if end is None or not places else places[end].key for end in ends)
        # A location without a match lies behind all matches.
        start = 0 if after is None else (matches.index(after) + 1 if after in matches else len(matches))
        end = matches.index(before) if before in matches else len(matches)
        between = matches[start:end]
        request = PageRequest(size, ids.get(after or ""), ids.get(before or ""), is_backward)
        found, total = await locations.search_locations(connection, request, search=text, kind=None)
        wanted = between[-request.limit :] if is_backward else between[: request.limit]
        assert ([location.key for location in found], total) == (wanted, len(matches))

    async def run() -> None:
        async with connect(module_database_url, INGEST) as connection:
            await check(connection)

    if text.strip():
        asyncio.run(run())
