"""Checks of graphql-cop, a public scanner for GraphQL, against the production profile.

Each check sends the documented request and fails if the scanner would report a finding (https://github.com/dolevf/graphql-cop).
Requests have the default Accept header, as those of the scanner's client.
"""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.fixtures.server import Json, running_server
from tests.support.waiting import DEADLINE_SECONDS

Send = Callable[[httpx.Client], httpx.Response]


@pytest.fixture(scope="module")
def anonymous(module_database_url: str) -> Iterator[httpx.Client]:
    """Yield an anonymous client of a server in the production profile."""
    with (
        running_server(module_database_url, profile="production", writes_are_open=False) as client,
        httpx.Client(base_url=client.http.base_url, headers={"Accept": "*/*"}, timeout=DEADLINE_SECONDS) as http,
    ):
        yield http


def post(query: str) -> Send:
    """Return a function that sends a query as the scanner does."""
    return lambda http: http.post("/graphql", json={"query": query, "operationName": "cop"})


def get(query: str) -> Send:
    """Return a function that sends a query in the query string."""
    return lambda http: http.get("/graphql", params={"query": query})


def has_data(answer: Json) -> bool:
    """Return whether the response has data."""
    return bool(answer.get("data"))


def first_error(answer: Json) -> Json:
    """Return the first error, or an empty object."""
    errors: list[Json] = answer.get("errors") or [{}]
    return errors[0]


CIRCLE = "{ __schema { types " + "{ fields { type " * 4 + "{ name }" + "} }" * 4 + " } }"
Check = tuple[Send, Callable[[Json], bool]]
CHECKS: dict[str, Check] = {
    "alias overloading": (post("query cop { " + " ".join(f"alias{n}:__typename" for n in range(101)) + " }"), has_data),
    "array batching": (
        lambda http: http.post("/graphql", json=[{"query": "query cop { __typename }"}] * 10),
        lambda answer: not isinstance(answer, dict),
    ),
    "circular introspection": (post("query cop " + CIRCLE), has_data),
    "directive overloading": (
        post("query cop { __typename " + "@aa" * 10 + " }"),
        lambda answer: len(answer["errors"]) >= 10,
    ),
    "field duplication": (post("query cop { " + "__typename " * 500 + "}"), has_data),
    "field suggestions": (
        post("query cop { __schema { directive } }"),
        lambda answer: "Did you mean" in first_error(answer)["message"],
    ),
    "mutations by GET": (get("mutation cop { __typename }"), has_data),
    "queries by GET": (get("query cop { __typename }"), has_data),
    "introspection": (post("query cop { __schema { types { name fields { name } } } }"), has_data),
    "form-encoded requests": (lambda http: http.post("/graphql", data={"query": "query cop { __typename }"}), has_data),
    "tracing extensions": (post("query cop { __typename }"), lambda answer: "extensions" in answer),
    "exceptions in errors": (
        post("qwerty cop { abc }"),
        lambda answer: "exception" in json.dumps(first_error(answer)).lower(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_graphql_cop_check_finds_no_vulnerability(anonymous: httpx.Client, name: str) -> None:
    ask, is_flagged = CHECKS[name]
    response = ask(anonymous)
    assert response.status_code < 500
    assert not is_flagged(response.json())


def test_graphql_cop_finds_no_graphiql_or_playground_page(anonymous: httpx.Client) -> None:
    for path in ("/graphql", "/graphiql", "/playground", "/console", "/"):
        page = anonymous.get(path, headers={"Accept": "text/html"}, follow_redirects=True).text
        assert not [word for word in ("graphiql", "playground") if word in page.lower()]


def test_graphql_cop_harmless_query_is_answered(anonymous: httpx.Client) -> None:
    ask, _ = CHECKS["tracing extensions"]
    assert ask(anonymous).json() == {"data": {"__typename": "Query"}}
