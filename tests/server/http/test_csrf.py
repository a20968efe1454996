"""CSRF protection and CORS: requests that foreign pages can trigger are rejected."""

from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support.fixtures.server import Client, Json, running_server
from tests.support.streams import PROTOCOL
from tests.support.waiting import DEADLINE_SECONDS

QUERY = "{ __typename }"
ANSWER = {"data": {"__typename": "Query"}}
ALLOWED_ORIGIN, FOREIGN_ORIGIN = "https://app.example.com", "https://elsewhere.example"
JSON, RESPONSE_JSON, ANY = "application/json", "application/graphql-response+json", "*/*"
NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
IMAGE = "image/avif,image/webp,*/*;q=0.8"


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a server without allowed origins."""
    with running_server(module_database_url) as client:
        yield client


@pytest.fixture(scope="module")
def open_client(module_database_url: str) -> Iterator[Client]:
    """Yield a server with two allowed origins."""
    with running_server(module_database_url, cors_origins=f"{ALLOWED_ORIGIN}, https://other.example.com") as client:
        yield client


def get(client: Client, **headers: str) -> httpx.Response:
    """Send a query by GET, with exactly these headers."""
    return client.http.get("/graphql", params={"query": QUERY}, headers={"Accept": ANY, **headers})


def post(client: Client, **headers: str) -> httpx.Response:
    """Send a query in a JSON body."""
    return client.http.post("/graphql", json={"query": QUERY}, headers=headers)


def error_code(response: httpx.Response) -> str:
    """Return the code of a rejection."""
    assert response.status_code == 403
    answer: Json = response.json()
    return str(answer["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": JSON},
        {"Accept": f"{RESPONSE_JSON}, {JSON};q=0.9"},
        {"Accept": f"{ANY}, Application/JSON"},
        {"GraphQL-Require-Preflight": "1"},
        {"X-Apollo-Operation-Name": "averages"},
        {"GraphQL-Cost": "report"},
        {"Sec-Fetch-Site": "none", "Accept": IMAGE},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Mode": "cors"},
    ],
)
def test_csrf_protection_allows_get_queries_from_scripts_and_tools(client: Client, headers: dict[str, str]) -> None:
    assert get(client, **headers).json()["data"] == ANSWER["data"]


@pytest.mark.parametrize("fetched", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
def test_navigation_to_a_query_shows_a_page_and_executes_nothing(client: Client, fetched: dict[str, str]) -> None:
    response = get(client, Accept=NAVIGATION, **fetched)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "__typename" not in response.text


@pytest.mark.parametrize("accept", [ANY, "", IMAGE, "application/*", "application/jsonx"])
@pytest.mark.parametrize("fetched", [{}, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}])
def test_csrf_protection_rejects_get_queries_from_links_and_images(
    client: Client, accept: str, fetched: dict[str, str]
) -> None:
    response = get(client, Accept=accept, **fetched)
    assert response.status_code == 406 or error_code(response) == "PREFLIGHT_REQUIRED"
    assert "data" not in response.json()


@pytest.mark.parametrize("origin", [{}, {"Origin": FOREIGN_ORIGIN}, {"Origin": "null"}])
def test_csrf_protection_rejects_cross_site_requests_without_an_allowed_origin(
    client: Client, open_client: Client, origin: dict[str, str]
) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "GraphQL-Require-Preflight": "1", **origin}
    for asked in (client, open_client):
        for accept in (JSON, "text/event-stream"):
            assert error_code(get(asked, Accept=accept, **foreign)) == "CROSS_SITE_REFUSED"
            assert error_code(post(asked, Accept=accept, **foreign)) == "CROSS_SITE_REFUSED"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_csrf_protection_rejects_bodies_that_html_forms_can_send(client: Client, content_type: str) -> None:
    response = post(client, **{"Content-Type": content_type})
    assert response.status_code in {403, 415}
    assert "data" not in response.json()


def test_csrf_protection_allows_posts_from_same_site_pages_and_tools(client: Client) -> None:
    for site in ("same-origin", "same-site", "none"):
        assert post(client, **{"Sec-Fetch-Site": site, "Origin": str(client.http.base_url)}).json() == ANSWER


def test_cors_allowed_origin_can_send_requests_and_read_responses(open_client: Client) -> None:
    from_friend = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": ALLOWED_ORIGIN}
    for response in (post(open_client, **from_friend), get(open_client, **from_friend)):
        assert response.json() == ANSWER
        assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
        assert "Origin" in response.headers["vary"]
        assert "access-control-allow-credentials" not in response.headers


def test_cors_preflight_succeeds_only_for_allowed_origins(client: Client, open_client: Client) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
    for server, origin, allowed in (
        (open_client, ALLOWED_ORIGIN, True),
        (open_client, FOREIGN_ORIGIN, False),
        (client, ALLOWED_ORIGIN, False),
    ):
        response = server.http.options("/graphql", headers={"Origin": origin, **asked})
        assert response.is_success == allowed
        assert (response.headers.get("access-control-allow-origin") == origin) == allowed


SENT_BY_LIBRARIES = [
    "traceparent", "tracestate", "baggage", "sentry-trace", "apollographql-client-name", "apollographql-client-version",
    "cache-control", "pragma", "last-event-id", "x-requested-with", "x-request-id", "if-none-match", "graphql-cost",
    "graphql-require-preflight", "apollo-require-preflight", "x-apollo-operation-name", "accept", "accept-language",
]  # fmt: skip


def preflight(client: Client, headers: str, method: str = "POST") -> httpx.Response:
    """Send the preflight of a page of the allowed origin."""
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.http.options("/graphql", headers={"Origin": ALLOWED_ORIGIN, **asked})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_cors_preflight_allows_the_headers_of_tracing_and_graphql_clients(open_client: Client, method: str) -> None:
    for headers in (*SENT_BY_LIBRARIES, ", ".join(SENT_BY_LIBRARIES).upper()):
        assert preflight(open_client, headers, method).status_code == 200, headers
    response = preflight(open_client, ",".join(SENT_BY_LIBRARIES), method)
    assert response.status_code == 200
    allowed = response.headers["access-control-allow-headers"].lower().split(", ")
    assert set(SENT_BY_LIBRARIES) <= set(allowed)
    assert response.headers["access-control-max-age"] == "3600"
    assert "access-control-allow-credentials" not in response.headers


def test_cors_setting_allows_further_headers(module_database_url: str) -> None:
    for setting, allowed in (("X-Tenant, x-datadog-trace-id", True), ("*", True), (None, False)):
        with running_server(module_database_url, cors_origins=ALLOWED_ORIGIN, cors_headers=setting) as client:
            assert preflight(client, "content-type,x-tenant,X-Datadog-Trace-Id").is_success == allowed
            assert preflight(client, "traceparent").is_success


def test_cors_exposes_the_headers_that_the_server_sends(module_database_url: str) -> None:
    settings = {"cors_origins": ALLOWED_ORIGIN, "rate_limit": "20/day"}
    with running_server(module_database_url, writes_are_open=False, **settings) as client:
        # The first responses may lack an ETag, until the server knows the version of the data.
        responses = [get(client, Accept=JSON, Origin=ALLOWED_ORIGIN) for _ in range(21)]
    exposed = {name.lower() for name in responses[0].headers["access-control-expose-headers"].split(", ")}
    assert [response.status_code for response in responses] == [200] * 20 + [429]
    for name in ("etag", "cache-status", "ratelimit", "ratelimit-policy", "x-request-id"):
        assert name in responses[-2].headers
    assert "retry-after" in responses[-1].headers
    # Safelisted by the Fetch standard, of no use to a page, or those of CORS itself.
    others = {"cache-control", "content-length", "content-type", "date", "vary", "x-content-type-options"}
    for response in responses:
        sent = {name for name in response.headers if not name.startswith("access-control-")}
        assert sent <= exposed | others
        assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert {"www-authenticate", "content-disposition", "allow"} <= exposed


def test_cors_origins_are_normalized_like_those_of_websockets(module_database_url: str) -> None:
    with running_server(module_database_url, cors_origins="HTTPS://App.Example.com:443/") as client:
        assert preflight(client, "content-type").is_success
        assert post(client, **{"Sec-Fetch-Site": "cross-site", "Origin": ALLOWED_ORIGIN}).json() == ANSWER


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Origin": FOREIGN_ORIGIN}, "origin"),
        ({"Access-Control-Request-Method": "DELETE"}, "method"),
        ({"Access-Control-Request-Headers": "x-other"}, "headers"),
        ({"Origin": FOREIGN_ORIGIN, "Access-Control-Request-Method": "PUT"}, "origin, method"),
        ({"Access-Control-Request-Private-Network": "true"}, "private-network"),
    ],
)
def test_cors_preflight_rejection_has_a_code_and_names_the_cause(
    open_client: Client, headers: dict[str, str], named: str
) -> None:
    asked = {"Origin": ALLOWED_ORIGIN, "Access-Control-Request-Method": "POST", **headers}
    response = open_client.http.options("/graphql", headers=asked)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]) == (400, {"code": "CORS_REFUSED"})
    assert named in error["message"]
    assert response.headers["content-type"] == "application/json"
    # The CORS headers that starlette sends are unchanged.
    assert response.headers.get("access-control-allow-origin") == (
        ALLOWED_ORIGIN if asked["Origin"] == ALLOWED_ORIGIN else None
    )
    assert response.headers["access-control-allow-methods"] == "GET, POST"
    assert "Origin" in response.headers["vary"]
    assert response.headers["x-request-id"]


def test_cors_wildcard_allows_all_origins(module_database_url: str) -> None:
    with running_server(module_database_url, cors_origins="*") as client:
        response = post(client, **{"Sec-Fetch-Site": "cross-site", "Origin": FOREIGN_ORIGIN})
        assert response.json() == ANSWER
        assert response.headers["access-control-allow-origin"] == "*"


def test_cors_allowed_origin_can_open_a_websocket(open_client: Client) -> None:
    address = f"{str(open_client.http.base_url).replace('http', 'ws', 1)}/graphql"
    with connect(address, subprotocols=[PROTOCOL], origin=Origin(ALLOWED_ORIGIN)) as socket:
        socket.send('{"type": "connection_init"}')
        assert socket.recv(timeout=DEADLINE_SECONDS) == '{"type":"connection_ack"}'
