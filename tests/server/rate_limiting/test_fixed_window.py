"""Fixed-window rate limits: the boundary of a limit, and the key of a caller."""

import itertools
import json
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from db.repositories import tokens
from server.config.settings import Settings
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client, running_server
from tests.support.http.rate_limits import (
    LIMIT,
    PROXY,
    READ,
    TOKEN_LIMIT,
    forwarded_headers,
    open_limited_server,
    send_query,
    statuses,
)
from tests.support.streams import PROTOCOL, open_socket, operation_results, receive, subscribe
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually


@pytest.fixture
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a client of a server with rate limits behind a trusted local proxy."""
    with open_limited_server(module_database_url) as client:
        yield client


def test_rate_limit_headers_count_down_and_the_429_has_retry_after(client: Client) -> None:
    left = []
    for _ in range(LIMIT):
        answer = send_query(client)
        assert answer.json() == {"data": {"locations": {"totalCount": 0}}}
        assert answer.headers["ratelimit-policy"] == f'"address";q={LIMIT};w=86400'
        name, remaining, again = answer.headers["ratelimit"].split(";")
        assert name == '"address"'
        assert 0 < int(again.removeprefix("t=")) <= 86_400
        left.append(remaining)
    assert left == ["r=4", "r=3", "r=2", "r=1", "r=0"]
    refused = send_query(client)
    assert refused.status_code == 429
    assert refused.headers["content-type"].startswith("application/json")
    (error,) = refused.json()["errors"]
    assert error["extensions"] == {"code": "RATE_LIMITED"}
    again = refused.headers["retry-after"]
    assert 0 < int(again) <= 86_400
    assert refused.headers["ratelimit"] == f'"address";r=0;t={again}'
    assert refused.headers["ratelimit-policy"] == f'"address";q={LIMIT};w=86400'


def test_rate_limit_counts_anonymous_clients_by_address_or_ipv6_network(client: Client) -> None:
    assert statuses(client, LIMIT + 1) == [200] * LIMIT + [429]
    assert statuses(client, 1, "203.0.113.2") == [200]
    # Addresses before the last trusted proxy's entry are under the control of the caller.
    assert statuses(client, 1, "198.51.100.7, 203.0.113.1") == [429]
    assert [statuses(client, 1, f"2001:db8:0:1::{host}") for host in range(LIMIT)] == [[200]] * LIMIT
    assert statuses(client, 1, "2001:db8:0:1:ffff::1") == [429]
    assert statuses(client, 1, "2001:db8:0:2::1") == [200]
    assert statuses(client, 1, "::ffff:203.0.113.1") == [429]


def test_rate_limit_ignores_forwarded_addresses_from_untrusted_proxies(module_database_url: str) -> None:
    for proxies in (None, "192.0.2.1, 10.0.0.0/8"):
        with open_limited_server(module_database_url, trusted_proxies=proxies) as client:
            found = [send_query(client, f"203.0.113.{number}").status_code for number in range(LIMIT + 1)]
            assert found == [200] * LIMIT + [429]


def test_rate_limit_counts_a_token_independently_of_the_client_address(
    client: Client, module_database_url: str
) -> None:
    first, second = (create_api_token(module_database_url, "read", name=name) for name in ("first", "second"))
    assert statuses(client, LIMIT + 1, "203.0.113.3") == [200] * LIMIT + [429]
    answer = send_query(client, "203.0.113.3", first)
    assert answer.headers["ratelimit-policy"] == f'"token";q={TOKEN_LIMIT};w=86400'
    found = [send_query(client, f"203.0.113.{10 + number}", first).status_code for number in range(TOKEN_LIMIT)]
    assert found == [200] * (TOKEN_LIMIT - 1) + [429]
    assert statuses(client, 1, token=second) == [200]


def test_rate_limit_rejects_token_guessing_before_the_database_lookup(
    client: Client, module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []
    find = tokens.find_tokens

    async def find_and_count(*arguments: object) -> object:
        looked_up.append(arguments)
        return await find(*arguments)  # type: ignore[arg-type]

    known, late = (create_api_token(module_database_url, "read", name=name) for name in ("known", "late"))
    assert send_query(client, "203.0.113.4", known).status_code == 200
    monkeypatch.setattr(tokens, "find_tokens", find_and_count)
    guesses = [f"rgt_{number:016}_{'0' * 43}" for number in range(LIMIT + 1)]
    assert [send_query(client, "203.0.113.4", token).status_code for token in guesses] == [401] * LIMIT + [429]
    # The token in use is refreshed meanwhile, in a separate lookup.
    ids = {token_id for _, found in looked_up for token_id in found} - {known.split("_")[1]}  # type: ignore[attr-defined]
    assert ids == {token.split("_")[1] for token in guesses[:LIMIT]}
    assert send_query(client, "203.0.113.4", late).status_code == 429
    # Guesses consume the anonymous limit too. A known token and other addresses are unaffected.
    assert send_query(client, "203.0.113.4").status_code == 429
    assert send_query(client, "203.0.113.4", known).status_code == 200
    assert send_query(client, "203.0.113.5", late).status_code == 200


def test_rate_limit_applies_to_token_guessing_at_the_metrics_route(client: Client) -> None:
    guesses = [forwarded_headers("203.0.113.6", f"rgt_{number:016}_{'1' * 43}") for number in range(LIMIT + 1)]
    found = [client.http.get("/metrics", headers=headers).status_code for headers in guesses]
    assert found == [401] * LIMIT + [429]


def wait_for_etag(client: Client) -> None:
    """Wait until the server knows the version of its data.

    Each request comes from another address, so that no limit is used up.
    """
    addresses = (f"2001:db8:{number:x}::1" for number in itertools.count(1))

    def responds_with_etag() -> bool:
        headers = forwarded_headers(next(addresses))
        return "etag" in client.http.get("/graphql", params={"query": READ}, headers=headers).headers

    eventually(responds_with_etag, "no ETag")


def test_rate_limit_counts_every_kind_of_request_except_health_probes(client: Client) -> None:
    headers = forwarded_headers("203.0.113.6")
    stream = {**headers, "Accept": "text/event-stream"}

    def get(**more: str) -> httpx.Response:
        return client.http.get("/graphql", params={"query": READ}, headers={**headers, **more})

    wait_for_etag(client)
    tag = get().headers["etag"]
    unchanged, kept = get(**{"If-None-Match": tag}), get()
    streamed = client.http.post("/graphql", json={"query": READ}, headers=stream)
    wrong = client.http.post("/graphql", content=b"{", headers={**headers, "Content-Type": "application/json"})
    found = [unchanged, kept, streamed, wrong]
    assert [answer.status_code for answer in found] == [304, 200, 200, 400]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in found] == ["r=3", "r=2", "r=1", "r=0"]
    assert kept.headers["cache-status"] == "ratesgraph; hit"
    for refused in (
        get(**{"If-None-Match": tag}),
        get(),
        client.http.post("/graphql", json={"query": READ}, headers=stream),
        client.http.get("/batches/1/rejections.csv", headers=headers),
        client.http.head("/batches/1/rejections.csv", headers=headers),
    ):
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
    for path in ("/livez", "/readyz"):
        assert client.http.get(path, headers=headers).status_code == 200


def test_rate_limit_applies_to_rejections_downloads_and_sets_headers(client: Client, module_database_url: str) -> None:
    token = create_api_token(module_database_url, "upload", name="downloads")
    found = [
        client.http.get("/batches/1/rejections.csv", headers=forwarded_headers("203.0.113.7", token))
        for _ in range(TOKEN_LIMIT + 1)
    ]
    assert [answer.status_code for answer in found] == [404] * TOKEN_LIMIT + [429]
    assert found[TOKEN_LIMIT - 1].headers["ratelimit"].startswith('"token";r=0;')


def test_rate_limit_counts_websocket_connections_and_their_operations(module_database_url: str) -> None:
    with open_limited_server(module_database_url) as client:
        url = str(client.http.base_url)
        with open_socket(url) as socket:
            for _ in range(LIMIT - 1):
                subscribe(socket, READ, {})
                assert next(operation_results(socket)) == {"data": {"locations": {"totalCount": 0}}}
                assert receive(socket)["type"] == "complete"
            subscribe(socket, READ, {})
            (error,) = next(operation_results(socket))["errors"]
            assert error["extensions"] == {"code": "RATE_LIMITED"}
            with pytest.raises(InvalidStatus) as refused, open_socket(url):
                pass
        response = refused.value.response
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) > 0
        assert json.loads(response.body or b"")["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


def test_rate_limit_counts_invalid_websocket_tokens(module_database_url: str) -> None:
    with open_limited_server(module_database_url, rate_limit="3/day") as client:
        url = str(client.http.base_url)
        # Each attempt is counted twice: as a connection and as a failed authentication.
        with pytest.raises(ConnectionClosedError) as closed, open_socket(url, "wrong"):
            pass
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason.partition(":")[0]) == (4403, "UNAUTHENTICATED")
        with pytest.raises(ConnectionClosedError), open_socket(url, "wrong"):
            pass
        with pytest.raises(InvalidStatus), open_socket(url, "wrong"):
            pass


def test_rate_limit_closes_a_token_guessing_websocket_with_code_1013(module_database_url: str) -> None:
    with open_limited_server(module_database_url, rate_limit="2/day") as client:
        address = str(client.http.base_url).replace("http", "ws", 1)
        with connect(f"{address}/graphql", subprotocols=[PROTOCOL]) as socket:
            assert statuses(client, 3, PROXY, "wrong") == [401, 401, 429]
            socket.send(json.dumps({"type": "connection_init", "payload": authorization_header("wrong")}))
            with pytest.raises(ConnectionClosedError) as closed:
                receive(socket)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason.partition(":")[0]) == (1013, "RATE_LIMITED")


def test_rate_limit_does_not_apply_to_the_local_admin(module_database_url: str) -> None:
    with running_server(module_database_url, rate_limit="1/day") as client:
        for _ in range(3):
            answer = client.http.post("/graphql", json={"query": READ})
            assert answer.status_code == 200
            assert "ratelimit" not in answer.headers
        url = str(client.http.base_url)
        for _ in range(2):
            with open_socket(url) as socket:
                subscribe(socket, READ, {})
                assert "data" in next(operation_results(socket))
        # A request through a proxy is not the local admin.
        assert statuses(client, 2) == [200, 429]


def test_rate_limit_is_disabled_by_an_empty_setting(module_database_url: str) -> None:
    with open_limited_server(module_database_url, rate_limit="", token_rate_limit="") as client:
        token = create_api_token(module_database_url, "read")
        for bearer in (None, token):
            found = [send_query(client, token=bearer) for _ in range(TOKEN_LIMIT + 1)]
            assert {answer.status_code for answer in found} == {200}
            assert not {"ratelimit", "ratelimit-policy"} & set(found[0].headers)
        assert statuses(client, LIMIT + 1, "203.0.113.1", "wrong") == [401] * (LIMIT + 1)


def test_rate_limit_headers_are_omitted_from_publicly_cacheable_responses(module_database_url: str) -> None:
    with open_limited_server(module_database_url, max_age=60) as client:
        headers = forwarded_headers("203.0.113.8")
        wait_for_etag(client)
        answer = client.http.get("/graphql", params={"query": READ}, headers=headers)
        assert answer.headers["cache-control"] == "public, max-age=60, must-revalidate"
        assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)
        # The cacheable response is counted nevertheless.
        assert (
            client.http.post("/graphql", json={"query": READ}, headers=headers)
            .headers["ratelimit"]
            .startswith('"address";r=3;')
        )


def test_rate_limit_headers_are_exposed_to_allowed_cors_origins(module_database_url: str) -> None:
    friend = "https://friend.example"
    with open_limited_server(module_database_url, cors_origins=friend) as client:
        found = [
            client.http.post("/graphql", json={"query": READ}, headers={"Origin": friend}) for _ in range(LIMIT + 1)
        ]
        assert [answer.status_code for answer in found] == [200] * LIMIT + [429]
        for answer in (found[0], found[-1]):
            assert answer.headers["access-control-allow-origin"] == friend
            exposed = answer.headers["access-control-expose-headers"].split(", ")
            assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RATE_LIMIT", "sometimes", "invalid rate limit"),
        ("TOKEN_RATE_LIMIT", "1/second;600/minute", "invalid rate limit"),
        ("RATE_LIMIT", "0/minute", "reject every request"),
        ("TRUSTED_PROXIES", "proxy.example", "TRUSTED_PROXIES"),
        ("TRUSTED_PROXIES", "*", "TRUSTED_PROXIES"),
        ("RATE_LIMIT_STORAGE", "floppy://:secret@a", "unknown rate-limit storage"),
    ],
)
def test_invalid_rate_limit_settings_prevent_startup_with_a_one_line_error(name: str, value: str, message: str) -> None:
    done = ratesgraph_in_process(None, "serve", exit_code=1, settings={f"RATESGRAPH_{name}": value})
    assert message in done.stderr
    assert "secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_rate_limit_defaults_limit_anonymous_clients_and_trust_no_proxy() -> None:
    settings = Settings.model_fields
    assert (settings["rate_limit"].default, settings["trusted_proxies"].default) == ("600/minute", None)
