"""Relay connections: every page equals the part of the list that the specification defines.

Forward and backward pages are tested.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

import pytest

from tests.support.batches.uploads import VALID_ITEM, create_locations, upload
from tests.support.fixtures.server import Client, Json, running_server, running_worker

MAX_PAGE_SIZE = 20
PORTS = ("CNSGH", "NLRTM")
CONNECTIONS = {
    "locations": "{{ {fields} }}",
    "batches": "{{ {fields} }}",
    "rejections": '{{ batch(id: "1") {{ {fields} }} }}',
    "lanes": '{{ batch(id: "1") {{ {fields} }} }}',
}
"""Each connection, and the query that selects its fields."""
PAGE = "{ totalCount pageInfo { hasPreviousPage hasNextPage startCursor endCursor } edges { cursor } }"
VARIABLES = "query ($first: Int, $after: String, $last: Int, $before: String) "
ARGUMENTS = "(first: $first, after: $after, last: $last, before: $before)"


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a client of a server with four locations and five batches.

    The first batch has four lanes and five rejections.
    """
    create_locations(module_database_url)
    lanes = [
        {**VALID_ITEM, "origin": origin, "destination": destination} for origin, destination in product(PORTS, PORTS)
    ]
    wrong = [{**VALID_ITEM, "price": "x"}] * 3
    with (
        running_server(module_database_url, max_page_size=MAX_PAGE_SIZE) as client,
        running_worker(module_database_url),
    ):
        upload(client, *lanes, *wrong, onError="SKIP_INVALID")
        for _ in range(4):
            upload(client, VALID_ITEM)
        yield client


@dataclass(frozen=True)
class Request:
    """Arguments of a connection, with positions in the list in place of cursors."""

    first: int | None = None
    after: int | None = None
    last: int | None = None
    before: int | None = None

    def to_arguments(self, cursors: list[str]) -> str:
        """Return the arguments as GraphQL."""
        sizes = {"first": self.first, "last": self.last}
        ends = {"after": self.after, "before": self.before}
        literals = [f"{name}: {size}" for name, size in sizes.items() if size is not None]
        literals += [f'{name}: "{cursors[position]}"' for name, position in ends.items() if position is not None]
        return ", ".join(literals)

    def bounds(self, length: int) -> tuple[int, int]:
        """Return the positions at which the page starts and ends, as the specification defines them."""
        start = 0 if self.after is None else self.after + 1
        end = length if self.before is None else self.before
        if self.last is not None:
            return max(start, end - self.last), end
        return start, min(end, start + (MAX_PAGE_SIZE if self.first is None else self.first))

    def page(self, cursors: list[str]) -> Json:
        """Return the expected page."""
        start, end = self.bounds(len(cursors))
        page = cursors[start:end]
        return {
            "totalCount": len(cursors),
            "pageInfo": {
                "hasPreviousPage": start > 0,
                "hasNextPage": end < len(cursors),
                "startCursor": page[0] if page else None,
                "endCursor": page[-1] if page else None,
            },
            "edges": [{"cursor": cursor} for cursor in page],
        }


def ask(client: Client, name: str, fields: str) -> Json:
    """Return the selected fields of the connection's parent."""
    data = client.ask(CONNECTIONS[name].format(fields=fields))
    found: Json = data.get("batch", data)
    return found


def all_requests(length: int) -> Iterator[Request]:
    """Yield requests of every kind: no size, both directions, all pairs of cursors in order."""
    ends = (None, *range(length))
    for after, before in product(ends, ends):
        if after is None or before is None or after < before:
            yield Request(after=after, before=before)
            for size in (1, 2, length):
                yield Request(first=size, after=after, before=before)
                yield Request(last=size, after=after, before=before)


@pytest.mark.parametrize("name", CONNECTIONS)
def test_connection_pages_are_exact_in_both_directions(client: Client, name: str) -> None:
    cursors = [edge["cursor"] for edge in ask(client, name, f"{name} {PAGE}")[name]["edges"]]
    assert len(cursors) in {4, 5}
    requests = all_requests(len(cursors))
    while aliases := {f"a{number}": request for number, request in enumerate(islice(requests, 20))}:
        fields = []
        for alias, request in aliases.items():
            arguments = request.to_arguments(cursors)
            fields.append(f"{alias}: {name}{f'({arguments})' if arguments else ''} {PAGE}")
        found = ask(client, name, " ".join(fields))
        for alias, request in aliases.items():
            assert found[alias] == request.page(cursors), request


@pytest.mark.parametrize("name", CONNECTIONS)
def test_connection_treats_null_and_empty_arguments_as_omitted(client: Client, name: str) -> None:
    plain = ask(client, name, f"{name} {PAGE}")
    empty = f'{name}(first: null, after: "", last: null, before: "") {PAGE}'
    assert ask(client, name, empty) == plain
    assert ask(client, name, f'{name}(last: {MAX_PAGE_SIZE}, before: "") {PAGE}') == plain


@pytest.mark.parametrize("name", CONNECTIONS)
@pytest.mark.parametrize(
    ("arguments", "code", "argument"),
    [
        ({"first": 1, "last": 1}, "INVALID_PAGE_SIZE", "last"),
        ({"first": 0}, "INVALID_PAGE_SIZE", "first"),
        ({"first": -1}, "INVALID_PAGE_SIZE", "first"),
        ({"first": MAX_PAGE_SIZE + 1}, "INVALID_PAGE_SIZE", "first"),
        ({"last": 0}, "INVALID_PAGE_SIZE", "last"),
        ({"last": -1}, "INVALID_PAGE_SIZE", "last"),
        ({"last": MAX_PAGE_SIZE + 1}, "INVALID_PAGE_SIZE", "last"),
        ({"after": "x"}, "INVALID_CURSOR", "after"),
        ({"last": 1, "before": "x"}, "INVALID_CURSOR", "before"),
        ({"before": "dGhpbmc6MQ=="}, "INVALID_CURSOR", "before"),
    ],
)
def test_connection_rejects_contradictory_sizes_and_foreign_cursors(
    client: Client, name: str, arguments: Json, code: str, argument: str
) -> None:
    query = f"{VARIABLES}{CONNECTIONS[name].format(fields=f'{name}{ARGUMENTS} {PAGE}')}"
    assert client.fail(query, **arguments)["extensions"] == {"code": code, "argument": argument, "variable": argument}
