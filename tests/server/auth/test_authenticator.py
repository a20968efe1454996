"""Token authentication: caching, revocation, expiry, and protection of cached responses."""

import asyncio
import logging
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from db.connection import Connection
from db.pool import Pool
from db.repositories import tokens
from db.repositories.tokens import ApiToken
from server.auth.authenticator import MAX_CONCURRENT_LOOKUPS, Authenticator
from tests.support.batches.uploads import AVERAGES, create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client, running_server
from tests.support.http.subscriptions import each_transport
from tests.support.streams import open_events, open_socket, operation_results, subscribe
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

CHANGES = 'subscription { pricesChanged(origin: "CNSGH", destination: "NLRTM") { status } }'
SECOND = 1.0
SLACK_SECONDS = 15.0
"""For a machine that does many other things."""


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """Yield a client of a server that requires a token for reads and caches responses."""
    create_locations(database_url)
    with running_server(database_url, writes_are_open=False, anonymous_reads=False) as client:
        token = create_api_token(database_url, "read")
        eventually(lambda: "etag" in get_averages(client, token).headers, "no response is cached")
        yield client


def get_averages(client: Client, token: str | None, **headers: str) -> httpx.Response:
    """Request averages by GET."""
    return client.http.get("/graphql", params={"query": AVERAGES}, headers=authorization_header(token) | headers)


def post_averages(client: Client, token: str | None) -> httpx.Response:
    """Request averages by POST."""
    return client.http.post("/graphql", json={"query": AVERAGES}, headers=authorization_header(token))


def revoke(database_url: str, token: str) -> float:
    """Revoke a token and return the time after the revocation."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE api_tokens SET revoked_at = now() WHERE id = %s", (token[4:20],))
    return time.monotonic()


def test_cached_response_is_not_served_to_callers_without_read_scope(client: Client, database_url: str) -> None:
    reader, uploader = create_api_token(database_url, "read"), create_api_token(database_url, "upload")
    kept = get_averages(client, reader)
    assert post_averages(client, reader).json() == kept.json()
    for again in (get_averages(client, reader), post_averages(client, reader)):
        assert again.headers["cache-status"] == "ratesgraph; hit"
    for token, status in [(None, 401), (uploader, 403), (f"{reader[:-1]}_", 401)]:
        for refused in (
            get_averages(client, token),
            post_averages(client, token),
            get_averages(client, token, **{"If-None-Match": kept.headers["etag"]}),
        ):
            assert refused.status_code == status
            assert refused.headers["cache-control"] == "private, no-store"
            assert "etag" not in refused.headers
            assert "data" not in refused.json()


def test_cache_control_is_private_when_reads_require_a_token(client: Client, database_url: str) -> None:
    answer = get_averages(client, create_api_token(database_url, "read"))
    assert answer.headers["cache-control"].startswith("private")
    assert "Authorization" in answer.headers["vary"]
    not_modified = get_averages(
        client, create_api_token(database_url, "read"), **{"If-None-Match": answer.headers["etag"]}
    )
    assert (not_modified.status_code, not_modified.content) == (304, b"")


def test_revoked_token_is_rejected_within_one_second(client: Client, database_url: str) -> None:
    token = create_api_token(database_url, "read")
    assert post_averages(client, token).status_code == 200
    revoked_at = revoke(database_url, token)
    eventually(lambda: post_averages(client, token).status_code == 401, "the token is still accepted")
    assert time.monotonic() - revoked_at < SECOND + SLACK_SECONDS


def test_token_revoked_by_the_cli_is_rejected(client: Client, database_url: str) -> None:
    token = create_api_token(database_url, "read")
    assert post_averages(client, token).status_code == 200
    ratesgraph_in_process(database_url, "token", "revoke", token)
    eventually(lambda: post_averages(client, token).status_code == 401, "the token is still accepted")


def test_expired_token_is_rejected_from_its_expiry_time(client: Client, database_url: str) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=5)
    token = create_api_token(database_url, "read", expires_at=expires_at)
    assert post_averages(client, token).status_code == 200
    eventually(lambda: post_averages(client, token).status_code == 401, "the token is still accepted")
    assert -0.3 < (datetime.now(UTC) - expires_at).total_seconds() < SLACK_SECONDS


@each_transport
@pytest.mark.parametrize("why", ["expired", "revoked"])
def test_subscription_ends_when_its_token_expires_or_is_revoked(
    client: Client, database_url: str, transport: str, why: str
) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=5) if why == "expired" else None
    token, url = create_api_token(database_url, "read", expires_at=expires_at), str(client.http.base_url)
    if transport == "sse":
        with open_events(url, CHANGES, {}, token) as response:
            if why == "revoked":
                revoke(database_url, token)
            assert "complete" not in response.read().decode()
        assert post_averages(client, token).status_code == 401
    else:
        with open_socket(url, token) as socket:
            subscribe(socket, CHANGES, {})
            if why == "revoked":
                revoke(database_url, token)
            with pytest.raises(ConnectionClosedError) as caught:
                next(operation_results(socket))
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 4403


def test_cached_token_requires_no_database_lookup_per_request(
    client: Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = create_api_token(database_url, "read")
    assert post_averages(client, token).status_code == 200
    taken, connection = [0], Pool.connection

    def counting(self: Pool) -> object:
        taken[0] += 1
        return connection(self)

    monkeypatch.setattr(Pool, "connection", counting)
    started = time.monotonic()
    for _ in range(100):
        assert post_averages(client, token).headers["cache-status"] == "ratesgraph; hit"
    # A token in use is looked up again twice a second, independently of the requests.
    assert taken[0] <= 2 * (time.monotonic() - started) + 1


def test_token_last_used_time_is_recorded_only_for_a_correct_secret(client: Client, database_url: str) -> None:
    used, guessed = create_api_token(database_url, "read"), create_api_token(database_url, "read")
    assert post_averages(client, f"{guessed[:-3]}000").status_code == 401
    assert post_averages(client, used).status_code == 200

    def used_ids() -> set[str]:
        with psycopg.connect(database_url) as connection:
            return {row[0] for row in connection.execute("SELECT id FROM api_tokens WHERE last_used_at IS NOT NULL")}

    eventually(lambda: used[4:20] in used_ids(), "the use of the token is not recorded")
    assert guessed[4:20] not in used_ids()


@pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "Token x", "Bearer \xff", "Bearer a b"])
def test_invalid_token_header_is_rejected_with_a_bearer_challenge(client: Client, header: str) -> None:
    headers = {b"Authorization": header.encode("latin-1")}
    answer = client.http.post("/graphql", json={"query": AVERAGES}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="ratesgraph", error="invalid_token"'
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


def test_token_secrets_are_never_logged(client: Client, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = create_api_token(database_url, "read")
    for sent in (token, f"{token[:-3]}000"):
        post_averages(client, sent)
        with pytest.raises((ConnectionClosedError, AssertionError)), open_socket(str(client.http.base_url), f"{sent}x"):
            pass
    secret = token[21:-3]
    ours = [record for record in caplog.records if not record.name.startswith(("websockets.client", "httpcore"))]
    assert not [record for record in ours if secret in record.getMessage()]


def test_uncached_token_is_answered_503_while_the_database_is_unavailable(
    client: Client, postgres: str, database_url: str
) -> None:
    token = create_api_token(database_url, "read")
    with psycopg.connect(postgres, autocommit=True) as connection:
        name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        answer = post_averages(client, token)
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["errors"][0]["extensions"] == {"code": "DATABASE_UNAVAILABLE"}


def test_websocket_is_accepted_only_from_allowed_origins(database_url: str) -> None:
    allowed = "https://app.example"
    with running_server(database_url, cors_origins=f"https://other.example, {allowed}") as client:
        url = str(client.http.base_url).rstrip("/")
        for origin in (None, url, allowed, "HTTPS://APP.example:443"):
            with open_socket(url, origin=origin):
                pass
        for origin in ("https://evil.example", "http://app.example", f"{allowed}.evil.example", "null", "https://["):
            with pytest.raises(InvalidStatus) as caught, open_socket(url, origin=origin):
                pass
            assert caught.value.response.status_code == 403


def test_concurrent_lookups_of_unknown_tokens_are_limited(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    come, inside, most = 0, 0, 0
    go_on = threading.Event()
    look_up, find = Authenticator._fetch, tokens.find_tokens

    async def count_and_look_up(self: Authenticator, token_id: str) -> object:
        nonlocal come
        come += 1
        return await look_up(self, token_id)

    async def find_slowly(connection: Connection, ids: Collection[str]) -> list[ApiToken]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.to_thread(go_on.wait, 20)
        inside -= 1
        return await find(connection, ids)

    monkeypatch.setattr(Authenticator, "_fetch", count_and_look_up)
    monkeypatch.setattr(tokens, "find_tokens", find_slowly)
    with running_server(database_url, writes_are_open=False) as client, ThreadPoolExecutor(6) as threads:
        guesses = [f"rgt_{number:016}_{'0' * 43}" for number in range(6)]
        url, query = f"{client.http.base_url}/graphql", {"query": "{ __typename }"}
        answers = [
            threads.submit(httpx.post, url, json=query, headers=authorization_header(guess)) for guess in guesses
        ]
        try:
            eventually(lambda: come == 6 and inside == MAX_CONCURRENT_LOOKUPS, "not all requests have arrived")
        finally:
            go_on.set()
        assert [answer.result().status_code for answer in answers] == [401] * 6
    assert most == MAX_CONCURRENT_LOOKUPS
