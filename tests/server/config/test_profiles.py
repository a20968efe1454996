"""Profiles: exposed schema details, and rejected combinations of settings."""

from collections.abc import Iterator

import pytest

from server.config.profiles import Profile, choose_profile, find_unsafe_combination
from server.config.settings import Settings
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client, running_server
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.streams import open_socket, operation_results, sse_results, subscribe

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
INTROSPECTION = [
    "{ __schema { queryType { name } } }",
    '{ __type(name: "Query") { name } }',
    '{ location(key: "x") { key } ...f } fragment f on Query { ... { schema: __schema { types { name } } } }',
    "mutation { __schema { queryType { name } } }",
]
MISSPELT = [
    "{ locaton { key } }",
    '{ location(kee: "x") { key } }',
    '{ location(key: "x") { nam } }',
    '{ locations(kind: PORTS) { totalCount } }',
    "{ locations { ...f } } fragment f on LocationConection { totalCount }",
]  # fmt: skip
DATABASE = "postgresql://127.0.0.1:1/none"


@pytest.fixture(scope="module")
def production(module_database_url: str) -> Iterator[Client]:
    """Yield a server in the production profile, shared by the tests."""
    with running_server(module_database_url, profile="production", writes_are_open=False) as client:
        yield client


@pytest.fixture(scope="module")
def development(module_database_url: str) -> Iterator[Client]:
    """Yield a server in the development profile."""
    with running_server(module_database_url) as client:
        yield client


def test_introspection_is_allowed_in_development_only(development: Client, production: Client) -> None:
    for query in INTROSPECTION[:3]:
        assert development.ask(query)
        assert production.fail(query)["extensions"] == {"code": "INTROSPECTION_CLOSED"}
        event_stream = {"Accept": "text/event-stream"}
        (event,) = sse_results(production.http.post("/graphql", json={"query": query}, headers=event_stream))
        with open_socket(str(production.http.base_url)) as socket:
            subscribe(socket, query, {})
            (message,) = operation_results(socket)
        assert {answer["errors"][0]["extensions"]["code"] for answer in (event, message)} == {"INTROSPECTION_CLOSED"}
    assert "data" not in production.post(INTROSPECTION[3])
    assert production.ask("{ __typename }") == {"__typename": "Query"}


def test_introspection_responses_bypass_the_cache(development: Client) -> None:
    for _ in range(2):
        response = development.http.post("/graphql", json={"query": INTROSPECTION[0]})
        assert "cache-status" not in response.headers


@pytest.mark.parametrize("query", MISSPELT)
def test_suggestions_for_misspelt_names_appear_in_development_only(
    development: Client, production: Client, query: str
) -> None:
    assert "Did you mean" in development.http.post("/graphql", json={"query": query}).text
    assert "Did you mean" not in production.http.post("/graphql", json={"query": query}).text


def test_suggestions_for_misspelt_variable_values_appear_in_development_only(
    development: Client, production: Client
) -> None:
    query = "query ($kind: LocationKind) { locations(kind: $kind) { totalCount } }"
    assert "Did you mean" in development.fail(query, kind="PORTS")["message"]
    assert "Did you mean" not in production.fail(query, kind="PORTS")["message"]


def test_graphiql_is_served_in_development_only(development: Client, production: Client) -> None:
    assert "GraphiQL" in development.http.get("/graphql", headers=BROWSER).text
    refused = production.http.get("/graphql", headers=BROWSER)
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]) == (404, {"code": "NOT_FOUND"})
    assert "graphiql" not in refused.text.lower()


@pytest.mark.parametrize("path", ["/", "/graphql", "/livez", "/readyz", "/nothing", "/batches/1/rejections.csv"])
def test_responses_carry_the_nosniff_header(production: Client, path: str) -> None:
    assert production.http.get(path).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("settings", "profile"),
    [
        ({"database_url": None}, Profile.DEVELOPMENT),
        ({"database_url": None, "host": "::1"}, Profile.DEVELOPMENT),
        ({"database_url": None, "host": "0.0.0.0"}, Profile.PRODUCTION),  # noqa: S104
        ({"database_url": DATABASE}, Profile.PRODUCTION),
        ({"database_url": DATABASE, "profile": "development"}, Profile.DEVELOPMENT),
        ({"database_url": None, "profile": "production"}, Profile.PRODUCTION),
    ],
)
def test_profile_defaults_to_development_only_for_a_local_embedded_database(
    settings: dict[str, str], profile: Profile
) -> None:
    chosen = Settings().model_copy(update=settings)
    assert choose_profile(chosen) is profile
    assert find_unsafe_combination(chosen) is None


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"RATESGRAPH_PROFILE": "development", "RATESGRAPH_HOST": "0.0.0.0"}, "RATESGRAPH_PROFILE"),  # noqa: S104
        ({"RATESGRAPH_PERSISTED_ONLY": "true"}, "RATESGRAPH_PERSISTED_ONLY"),
        ({"RATESGRAPH_PROFILE": "testing"}, "RATESGRAPH_PROFILE"),
    ],
)
def test_unsafe_settings_prevent_startup_with_a_one_line_error(settings: dict[str, str], named: str) -> None:
    done = ratesgraph_in_process(DATABASE, "serve", "--port", "0", settings=settings, exit_code=1)
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_cors_wildcard_prevents_startup_of_the_embedded_server(tmp_path: object) -> None:
    arguments = ["serve", "--port", "0", "--data-dir", str(tmp_path)]
    done = ratesgraph_in_process(None, *arguments, settings={"RATESGRAPH_CORS_ORIGINS": "*"}, exit_code=1)
    assert "RATESGRAPH_CORS_ORIGINS" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_production_profile_applies_in_worker_processes(module_database_url: str, workers: str) -> None:
    with serving(module_database_url, "--workers", workers) as (_, url):
        wait_until_answered(url)
        with open_socket(url) as socket:
            subscribe(socket, INTROSPECTION[0], {})
            (answer,) = operation_results(socket)
        assert answer["errors"][0]["extensions"] == {"code": "INTROSPECTION_CLOSED"}
