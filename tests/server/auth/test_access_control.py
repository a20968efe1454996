"""Access control: fields require a valid token with a sufficient scope on every transport.

The transports are JSON, server-sent events and WebSocket. The list of fields is that of the architecture test,
so it is complete.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosedError

from resolvers.relay.global_ids import encode_global_id
from tests.support.batches.uploads import create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import running_server, running_worker
from tests.support.schema.scopes import ADMIN, PUBLIC, READ, UPLOAD, declared_scopes
from tests.support.streams import open_events, open_socket, operation_results, sse_results, subscribe
from tests.support.tokens import authorization_header, create_api_token

LANE = 'origin: "CNSGH", destination: "NLRTM"'
DAYS = 'dateFrom: "2024-01-01", dateTo: "2024-01-01"'
PRICES = f'prices: [{{ {DAYS}, {LANE}, price: 1 }}, {{ {DAYS}, {LANE}, price: "x" }}]'
OPERATIONS = {
    "averagePrices": f"{{ averagePrices({DAYS}, {LANE}) {{ day }} }}",
    "benchmark": f'{{ benchmark({LANE}, price: 1, dateFrom: "2024-01-01") {{ count }} }}',
    "coverage": f"{{ coverage({LANE}) {{ gapCount }} }}",
    "dataPeriod": "{ dataPeriod { firstDay } }",
    "laneMatrix": f"{{ laneMatrix(origins: [], destinations: [], {DAYS}) {{ currency }} }}",
    "lanes": "{ lanes { totalCount } }",
    "priceSeries": f"{{ priceSeries(lanes: [{{ {LANE} }}], {DAYS}) {{ currency }} }}",
    "exchangeRates": '{ exchangeRates(currency: "USD", from: "2024-01-01", to: "2024-01-01") { day } }',
    "node": f'{{ node(id: "{encode_global_id("Port", "CNSGH")}") {{ id }} }}',
    "nodes": f'{{ nodes(ids: ["{encode_global_id("Region", "china")}"]) {{ id }} }}',
    "location": '{ location(key: "CNSGH") { key } }',
    "locations": "{ locations { totalCount } }",
    "port": '{ port(code: "CNSGH") { key } }',
    "region": '{ region(slug: "china") { key } }',
    "pricesChanged": f"subscription {{ pricesChanged({LANE}) {{ status }} }}",
    "batch": '{ batch(id: "1") { uploader idempotencyKey rejections { totalCount } lanes { totalCount } } }',
    "batchByKey": '{ batchByKey(idempotencyKey: "monday") { id } }',
    "batches": "{ batches { edges { node { uploader idempotencyKey } } } }",
    "batchProgress": 'subscription { batchProgress(id: "1") { status } }',
    "uploadPrices": f"mutation {{ uploadPrices(input: {{ {PRICES}, onError: SKIP_INVALID, waitMs: 0 }}) {{ replayed }} }}",
    "uploadPriceFile": "mutation ($file: Upload!) { uploadPriceFile(file: $file) { replayed } }",
    "revertBatch": 'mutation { revertBatch(id: "1") { batch { id } } }',
    "upsertRegions": 'mutation { upsertRegions(regions: [{ slug: "new", name: "New" }]) { addedCount } }',
    "upsertPorts": 'mutation { upsertPorts(ports: [{ code: "DEHAM", name: "H", parentSlug: "europe" }]) { addedCount } }',
    "serverStatus": "{ serverStatus { version } }",
    "moveLocation": 'mutation { moveLocation(key: "CNSGH", parentSlug: "europe") { addedCount } }',
}
"""Each reads or changes data if it is permitted."""
NOT_ENOUGH = dict.fromkeys(READ, "upload") | dict.fromkeys(UPLOAD, "read") | dict.fromkeys(ADMIN, "upload")
ENOUGH = dict.fromkeys(READ, "read") | dict.fromkeys(UPLOAD, "owner") | dict.fromkeys(ADMIN, "admin")
TRANSPORTS = ("json", "get", "form", "sse", "websocket")
REFUSALS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403}
STATE_QUERY = """SELECT
  (SELECT array_agg((id, status, attempts, uploader) ORDER BY id) FROM price_batches),
  (SELECT array_agg((id, parent_id) ORDER BY id) FROM locations), (SELECT count(*) FROM audit_entries)"""


@dataclass
class AccessServers:
    """Servers with and without anonymous reads over one database, and their tokens."""

    database_url: str
    anonymous_url: str
    token_url: str
    tokens: dict[str, str]
    bad_tokens: dict[str, str]

    def database_state(self) -> object:
        """Return the database state that the operations could change."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(STATE_QUERY).fetchone()


@pytest.fixture(scope="module")
def servers(module_database_url: str) -> Iterator[AccessServers]:
    url = module_database_url
    create_locations(url)
    revoked = create_api_token(url, "admin")
    ratesgraph_in_process(url, "token", "revoke", revoked)
    valid = create_api_token(url, "admin")
    bad = {
        "expired": create_api_token(url, "admin", expires_at=datetime.now(UTC) - timedelta(seconds=1)),
        "revoked": revoked,
        "wrong": f"{valid[:-1]}{'A' if valid[-1] != 'A' else 'B'}",
        "unknown": f"rgt_{'0' * 16}_{'0' * 43}",
        "no token": "admin",
    }
    tokens = {scope: create_api_token(url, scope, name=scope) for scope in ("read", "upload", "admin")}
    tokens["owner"] = create_api_token(url, "upload", name="owner")
    with (
        running_server(url, writes_are_open=False) as client,
        running_server(url, writes_are_open=False, anonymous_reads=False) as other,
    ):
        servers = AccessServers(url, str(client.http.base_url), str(other.http.base_url), tokens, bad)
        keyed = OPERATIONS["uploadPrices"].replace("waitMs: 0", 'waitMs: 20000, idempotencyKey: "monday"')
        with running_worker(url):
            assert error_code(servers.anonymous_url, "json", keyed, tokens["owner"]) == ""
        # The response cache and the token cache are filled: neither may grant access to another caller.
        for field in READ:
            for transport in {"json", "get"} & set(transports(field)):
                assert error_code(servers.token_url, transport, OPERATIONS[field], tokens["read"]) == ""
        assert error_code(servers.anonymous_url, "json", OPERATIONS["batches"], valid) == ""
        yield servers


def error_code(url: str, transport: str, query: str, token: str | None) -> str:
    """Return the code of the only error of the response, or an empty string for data."""
    if transport == "websocket":
        try:
            with open_socket(url, token) as socket:
                subscribe(socket, query, {})
                answer = next(operation_results(socket))
        except ConnectionClosedError as closed:
            is_refusal = closed.rcvd is not None and closed.rcvd.code == 4403
            return closed.rcvd.reason.partition(":")[0] if closed.rcvd and is_refusal else repr(closed)
    else:
        response = send(url, transport, query, token)
        is_stream = response.headers["content-type"].startswith("text/event-stream")
        answer = next(sse_results(response)) if is_stream else response.json()
        found = answer.get("errors", [{}])[0].get("extensions", {}).get("code", "")
        if not is_stream and found in REFUSALS:
            assert response.status_code == REFUSALS[found]
            assert response.headers["www-authenticate"].startswith("Bearer ")
            assert response.headers["cache-control"] == "private, no-store"
            assert set(answer) == {"errors"}
    if not answer.get("errors"):
        assert all(value is not None for value in answer["data"].values())
        return ""
    (error,) = answer["errors"]
    refusal = str(error["extensions"]["code"])
    assert refusal not in REFUSALS or answer.get("data") is None
    return refusal


def send(url: str, transport: str, query: str, token: str | None) -> httpx.Response:
    """Send the operation in one HTTP request."""
    address, headers = f"{url}/graphql", {"Accept": "application/json", **authorization_header(token)}
    if transport == "get":
        return httpx.get(address, params={"query": query}, headers=headers)
    if transport == "form":
        form = {
            "operations": json.dumps({"query": query, "variables": {"file": None}}),
            "map": '{"0": ["variables.file"]}',
        }
        file: Any = {"0": ("prices.csv", b"origin_code,destination_code,day,price\nCNSGH,NLRTM,2024-01-01,1\n")}
        return httpx.post(address, data=form, files=file, headers={**headers, "GraphQL-Require-Preflight": "1"})
    headers["Accept"] = "text/event-stream" if transport == "sse" else "application/json"
    return httpx.post(address, json={"query": query}, headers=headers)


def transports(field: str) -> tuple[str, ...]:
    """Return the transports that can request the field."""
    kind = OPERATIONS[field].partition(" ")[0]
    left_out = {"subscription": {"json", "get", "form"}, "mutation": {"get"}}.get(kind, set())
    if field == "uploadPriceFile":
        # The other transports cannot carry a file, so only their rejection is tested.
        return TRANSPORTS[0], *TRANSPORTS[2:]
    return tuple(transport for transport in TRANSPORTS if transport not in {*left_out, "form"})


def test_access_control_cases_cover_every_declared_field() -> None:
    assert set(OPERATIONS) == set(declared_scopes()) - PUBLIC


@pytest.mark.parametrize("field", sorted(UPLOAD | ADMIN))
def test_upload_and_admin_fields_require_a_valid_scoped_token_under_anonymous_reads(
    servers: AccessServers, field: str
) -> None:
    before = servers.database_state()
    for transport in transports(field):
        assert error_code(servers.anonymous_url, transport, OPERATIONS[field], None) == "UNAUTHENTICATED"
        for kind, token in servers.bad_tokens.items():
            assert error_code(servers.anonymous_url, transport, OPERATIONS[field], token) == "UNAUTHENTICATED", kind
        assert (
            error_code(servers.anonymous_url, transport, OPERATIONS[field], servers.tokens[NOT_ENOUGH[field]])
            == "FORBIDDEN"
        )
    assert servers.database_state() == before


@pytest.mark.parametrize("field", sorted(OPERATIONS))
def test_all_fields_require_a_valid_token_with_scope_without_anonymous_reads(
    servers: AccessServers, field: str
) -> None:
    before = servers.database_state()
    for transport in transports(field):
        for token in (None, *servers.bad_tokens.values()):
            assert error_code(servers.token_url, transport, OPERATIONS[field], token) == "UNAUTHENTICATED"
        assert (
            error_code(servers.token_url, transport, OPERATIONS[field], servers.tokens[NOT_ENOUGH[field]])
            == "FORBIDDEN"
        )
    assert servers.database_state() == before


@pytest.mark.parametrize("field", sorted({*OPERATIONS} - {"pricesChanged"}))
def test_token_with_sufficient_or_admin_scope_can_use_each_field(servers: AccessServers, field: str) -> None:
    for transport in transports(field):
        expected = "" if field != "uploadPriceFile" or transport == "form" else "BAD_USER_INPUT"
        for holder in (ENOUGH[field], "admin"):
            if field == "batchByKey" and holder == "admin":
                continue  # An idempotency key belongs to its uploader.
            assert error_code(servers.token_url, transport, OPERATIONS[field], servers.tokens[holder]) == expected, (
                transport
            )


@pytest.mark.parametrize("transport", ["sse", "websocket"])
def test_prices_changed_stream_starts_for_a_token_with_read_or_admin_scope(
    servers: AccessServers, transport: str
) -> None:
    query = OPERATIONS["pricesChanged"]
    for holder in ("read", "admin"):
        if transport == "sse":
            with open_events(servers.token_url, query, {}, servers.tokens[holder]) as response:
                assert response.status_code == 200
        else:
            with open_socket(servers.token_url, servers.tokens[holder]) as socket:
                subscribe(socket, query, {})
                subscribe(socket, OPERATIONS["locations"], {}, "2")
                # A rejection of the first operation would have arrived before this result.
                assert next(operation_results(socket))["data"]["locations"]["totalCount"] > 0


def test_anonymous_read_is_allowed_but_an_expired_token_is_rejected(servers: AccessServers) -> None:
    assert error_code(servers.anonymous_url, "json", OPERATIONS["locations"], None) == ""
    assert (
        error_code(servers.anonymous_url, "json", OPERATIONS["locations"], servers.bad_tokens["expired"])
        == "UNAUTHENTICATED"
    )


def test_operation_is_rejected_as_a_whole_if_any_field_is_not_permitted(servers: AccessServers) -> None:
    query = "query { locations { totalCount } ...more } fragment more on Query { ... { b: batches { totalCount } } }"
    assert error_code(servers.anonymous_url, "json", query, None) == "UNAUTHENTICATED"
    assert error_code(servers.anonymous_url, "json", query, create_api_token(servers.database_url, "upload")) == ""


def test_websocket_token_is_accepted_in_the_authorization_header(servers: AccessServers) -> None:
    with open_socket(servers.token_url, create_api_token(servers.database_url, "read"), in_header=True) as socket:
        subscribe(socket, OPERATIONS["locations"], {})
        assert next(operation_results(socket))["data"]["locations"]["totalCount"] > 0


@pytest.mark.parametrize("path", ["1", "999", "x"])
def test_rejections_download_requires_a_token_with_upload_scope(servers: AccessServers, path: str) -> None:
    def status(token: str | None) -> int:
        return httpx.get(
            f"{servers.anonymous_url}/batches/{path}/rejections.csv", headers=authorization_header(token)
        ).status_code

    assert [status(token) for token in (None, *servers.bad_tokens.values())] == [401] * 6
    assert status(create_api_token(servers.database_url, "read")) == 403
    assert status(create_api_token(servers.database_url, "upload")) == 404


def test_dry_run_requires_read_scope_in_addition_to_upload_scope(servers: AccessServers) -> None:
    query = "mutation { uploadPrices(input: { prices: [], dryRun: true }) { userErrors { code } } }"
    assert error_code(servers.token_url, "json", query, create_api_token(servers.database_url, "upload", "read")) == ""
    answer = httpx.post(
        f"{servers.token_url}/graphql",
        json={"query": query},
        headers=authorization_header(create_api_token(servers.database_url, "upload")),
    ).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


PROXY_HEADERS = [
    "Via", "Forwarded", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
    "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded", "X-Client-IP", "X-Cluster-Client-IP", "Client-IP",
    "True-Client-IP", "CF-Connecting-IP", "CF-Ray", "Fastly-Client-IP", "Fly-Client-IP", "X-Original-Forwarded-For",
    "X-Original-Host", "X-Envoy-External-Address", "X-Appengine-User-IP", "X-Azure-ClientIP", "X-ARR-SSL",
    "X-ProxyUser-Ip", "Front-End-Https", "WL-Proxy-Client-IP", "X-Scheme", "CDN-Loop", "X-Remote-IP",
]  # fmt: skip


def test_local_admin_access_is_denied_to_foreign_hosts_origins_and_proxies(module_database_url: str) -> None:
    with running_server(module_database_url) as client:
        query, port = {"query": OPERATIONS["batches"]}, client.http.base_url.port
        for headers, status in [
            ({"Host": f"localhost:{port}"}, 200),
            ({"Host": f"[::1]:{port}"}, 200),
            ({"Host": f"evil.example:{port}"}, 401),
            ({"Host": "localhost.evil.example"}, 401),
            *(({name: "203.0.113.9"}, 401) for name in PROXY_HEADERS),
            ({"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}, 200),
            ({"Host": f"localhost:{port}", "Origin": "https://app.example"}, 401),
            ({"Host": f"localhost:{port}", "Origin": "null"}, 401),
        ]:
            assert client.http.post("/graphql", json=query, headers=headers).status_code == status, headers
