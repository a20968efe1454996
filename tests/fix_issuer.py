"""An issuer of JWTs: its keys behind real HTTP, and tokens that it signs."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "https://prices.example"
NAME = "https://issuer.example"


class Issuer:
    """Signs tokens with `key`, and publishes what is in `published`; None: it does not answer."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.curve_key = ec.generate_private_key(ec.SECP256R1())
        self.published: list[dict[str, Any]] | None = [
            {**RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "rsa", "use": "sig", "alg": "RS256"},
            {**ECAlgorithm.to_jwk(self.curve_key.public_key(), as_dict=True), "kid": "curve", "alg": "ES256"},
        ]
        self.fetches = 0
        self.url = ""

    def claims(self, **changed: object) -> dict[str, Any]:
        """Return the claims of a sound token, some of them changed, and without those that are None."""
        now = int(time.time())
        claims = {"iss": NAME, "aud": AUDIENCE, "sub": "ada", "scope": "openid read", "iat": now, "exp": now + 300}
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def sign(self, *, kid: str | None = "rsa", algorithm: str = "RS256", **changed: object) -> str:
        """Return a token with our key."""
        key = self.curve_key if algorithm.startswith("ES") else self.key
        headers = None if kid is None else {"kid": kid}
        return jwt.encode(self.claims(**changed), key, algorithm=algorithm, headers=headers)

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of a server that takes its tokens."""
        return {"oidc_issuer": NAME, "oidc_audience": AUDIENCE, "oidc_jwks_url": self.url}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer on a loopback address."""
    issuer = Issuer()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches += 1
            self.send_response(200 if issuer.published is not None else 500)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": issuer.published}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        issuer.url = f"http://127.0.0.1:{server.server_port}/keys"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield issuer
        server.shutdown()
        thread.join()
