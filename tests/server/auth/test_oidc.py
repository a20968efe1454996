"""OIDC authentication: validation of JWTs, their scopes, and the cache of the issuer's keys."""

import asyncio
import base64
import hmac
import json
import math
import time
from collections.abc import Iterator

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.exceptions import ConnectionClosedError

from server.auth import oidc
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.issuer import AUDIENCE, NAME, Issuer
from tests.support.fixtures.server import Client, running_server
from tests.support.streams import open_socket
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

READ = "{ locations { totalCount } }"
PRICE = '{ dateFrom: "2024-01-01", origin: "CNSGH", destination: "NLRTM", price: 1 }'
UPLOAD = f"mutation {{ uploadPrices(input: {{ waitMs: 0, prices: [{PRICE}] }}) {{ batch {{ uploader }} }} }}"


@pytest.fixture
def client(database_url: str, issuer: Issuer) -> Iterator[Client]:
    """Yield a client of a server that accepts the issuer's tokens and no anonymous reads."""
    with running_server(database_url, writes_are_open=False, anonymous_reads=False, **issuer.settings) as client:
        yield client


def send_query(client: Client, token: str, query: str = READ) -> httpx.Response:
    """Send a query with the token."""
    return client.http.post("/graphql", json={"query": query}, headers=authorization_header(token))


def error_code(answer: httpx.Response) -> str:
    """Return the code of the only error."""
    (error,) = answer.json()["errors"]
    return str(error["extensions"]["code"])


def test_oidc_token_grants_its_scopes_and_names_the_uploader_by_subject(client: Client, issuer: Issuer) -> None:
    assert send_query(client, issuer.sign()).json() == {"data": {"locations": {"totalCount": 0}}}
    assert error_code(send_query(client, issuer.sign(), UPLOAD)) == "FORBIDDEN"
    uploaded = send_query(client, issuer.sign(scope="email upload"), UPLOAD).json()["data"]["uploadPrices"]
    assert uploaded == {"batch": {"uploader": "oidc:ada"}}
    for other, expected in (("ada", 1), ("eve", 0), ("admin", 1)):
        scope = "admin" if other == "admin" else "upload"
        answer = send_query(client, issuer.sign(sub=other, scope=scope), "{ batches { totalCount } }").json()
        assert answer["data"]["batches"]["totalCount"] == expected


@pytest.mark.parametrize(("algorithm", "kid"), [("RS256", "rsa"), ("ES256", "curve")])
def test_oidc_accepts_rsa_and_ec_keys_and_multiple_audiences(
    client: Client, issuer: Issuer, algorithm: str, kid: str
) -> None:
    token = issuer.sign(algorithm=algorithm, kid=kid, aud=["other", AUDIENCE])
    assert send_query(client, token).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1_000},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": "soon"},
        {"exp": [9_999_999_999]},
        {"exp": math.inf},
        {"exp": math.nan},
        {"exp": 10**400},
        {"nbf": 9_999_999_999},
        {"iat": 9_999_999_999},
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "a" * 256},
        {"kid": "other"},
        {"kid": None},
        {"kid": "curve"},
        {"algorithm": "PS256"},
        {"padding": "a" * 9_000},
    ],
    ids=str,
)
def test_oidc_token_with_an_invalid_claim_or_header_is_rejected(
    client: Client, issuer: Issuer, changed: dict[str, object]
) -> None:
    answer = send_query(client, issuer.sign(**changed))  # type: ignore[arg-type]
    assert (answer.status_code, error_code(answer)) == (401, "UNAUTHENTICATED")
    assert "invalid_token" in answer.headers["www-authenticate"]


def test_oidc_token_with_a_fractional_expiry_is_accepted(client: Client, issuer: Issuer) -> None:
    assert send_query(client, issuer.sign(exp=time.time() + 60.5)).status_code == 200


def test_oidc_token_and_subject_are_accepted_up_to_their_maximum_length(client: Client, issuer: Issuer) -> None:
    assert send_query(client, issuer.sign(sub="a" * oidc.MAX_NAME_LENGTH)).status_code == 200
    found = {}
    for size in range(5_500, 5_900):
        token = issuer.sign(padding="a" * size)
        if abs(len(token) - oidc.MAX_TOKEN_LENGTH) <= 2:
            found[len(token)] = send_query(client, token).status_code
    # One more character in a claim lengthens the token by one or two characters.
    assert {length for length, status in found.items() if status == 200} == {
        length for length in found if length <= oidc.MAX_TOKEN_LENGTH
    }
    assert set(found.values()) == {200, 401}


def encode_base64url(data: bytes) -> bytes:
    """Encode bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def jwt_segment(value: object) -> bytes:
    """Return a JWT segment."""
    return encode_base64url(json.dumps(value).encode())


def test_oidc_token_not_signed_by_the_issuer_is_rejected(client: Client, issuer: Issuer) -> None:
    claims = issuer.claims(scope="admin")
    unsigned = b".".join([jwt_segment({"alg": "none", "kid": "rsa"}), jwt_segment(claims), b""]).decode()
    # Algorithm confusion attack: the public key is used as the secret of an HMAC signature.
    public = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = b".".join([jwt_segment({"alg": "HS256", "kid": "rsa"}), jwt_segment(claims)])
    symmetric = (text + b"." + encode_base64url(hmac.digest(public, text, "sha256"))).decode()
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    foreign = jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "rsa"})
    head, _, signature = issuer.sign().split(".")
    exchanged = f"{head}.{jwt_segment(claims).decode()}.{signature}"
    for token in (unsigned, symmetric, foreign, exchanged, "a.b.c", "..", f"{head}.."):
        assert error_code(send_query(client, token)) == "UNAUTHENTICATED"


def test_oidc_token_signed_with_a_published_symmetric_key_is_rejected(client: Client, issuer: Issuer) -> None:
    secret = b"0123456789abcdef0123456789abcdef"
    assert issuer.published is not None
    issuer.published.append(
        {"kty": "oct", "kid": "oct", "alg": "HS256", "k": base64.urlsafe_b64encode(secret).decode()}
    )
    token = jwt.encode(issuer.claims(), secret, algorithm="HS256", headers={"kid": "oct"})
    assert error_code(send_query(client, token)) == "UNAUTHENTICATED"


def test_oidc_keys_are_cached_and_refetched_at_a_limited_rate_for_new_key_ids(
    client: Client, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert issuer.fetches == 0
    for number in range(5):
        assert send_query(client, issuer.sign(sub=f"user {number}")).status_code == 200
        assert send_query(client, issuer.sign(kid=f"key {number}")).status_code == 401
    assert issuer.fetches == 1
    assert issuer.published is not None
    issuer.published.append({**issuer.published[0], "kid": "new"})
    monkeypatch.setattr(oidc, "MIN_REFETCH_SECONDS", 0.0)
    assert send_query(client, issuer.sign(kid="new")).status_code == 200
    assert issuer.fetches == 2


def test_oidc_cached_keys_remain_in_use_while_the_issuer_is_unavailable(
    client: Client, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send_query(client, issuer.sign()).status_code == 200
    issuer.published = None
    monkeypatch.setattr(oidc, "MIN_REFETCH_SECONDS", 0.0)
    monkeypatch.setattr(oidc, "JWKS_TTL_SECONDS", 0.0)
    assert send_query(client, issuer.sign(sub="another")).status_code == 200
    assert issuer.fetches == 2


def test_oidc_without_issuer_keys_responds_503_and_api_tokens_still_work(
    client: Client, issuer: Issuer, database_url: str
) -> None:
    issuer.published = None
    answer = send_query(client, issuer.sign())
    assert (answer.status_code, error_code(answer)) == (503, "ISSUER_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"
    assert send_query(client, create_api_token(database_url, "read")).status_code == 200


def test_oidc_token_expiry_ends_cached_authentication_and_open_websocket(client: Client, issuer: Issuer) -> None:
    token = issuer.sign(exp=int(time.time()) - oidc.LEEWAY_SECONDS + 8)
    assert send_query(client, token).status_code == 200
    with open_socket(str(client.http.base_url), token) as socket, pytest.raises(ConnectionClosedError) as caught:
        socket.recv(timeout=DEADLINE_SECONDS)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4403
    eventually(lambda: send_query(client, token).status_code == 401, "the token is still accepted")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"RATESGRAPH_OIDC_ISSUER": "https://issuer.example"}, "belong together"),
        ({"RATESGRAPH_OIDC_AUDIENCE": "x", "RATESGRAPH_OIDC_JWKS_URL": "https://x"}, "belong together"),
        (
            {
                "RATESGRAPH_OIDC_ISSUER": "https://issuer.example",
                "RATESGRAPH_OIDC_AUDIENCE": "x",
                "RATESGRAPH_OIDC_JWKS_URL": "http://issuer.example/keys",
            },
            "must begin with https://",
        ),
    ],
)
def test_oidc_settings_that_are_incomplete_or_insecure_prevent_startup(settings: dict[str, str], message: str) -> None:
    line = ratesgraph_in_process("postgresql://127.0.0.1:1/x", "serve", exit_code=1, settings=settings).stderr
    assert message in line
    assert line.count("\n") == 1


def test_token_cache_drops_the_least_recently_used(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "MAX_CACHED_TOKENS", 2)
    first, second, third = (issuer.sign(sub=name) for name in ("ada", "eve", "kim"))

    async def authenticate_all() -> list[bool]:
        authenticator = oidc.OidcAuthenticator(NAME, AUDIENCE, issuer.url, reads_are_open=True)
        await authenticator.authenticate(first)
        await authenticator.authenticate(second)
        assert authenticator.get_cached(first) is not None
        await authenticator.authenticate(third)
        return [authenticator.get_cached(token) is not None for token in (first, second, third)]

    assert asyncio.run(authenticate_all()) == [True, False, True]
