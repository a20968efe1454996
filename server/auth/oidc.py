"""JWT authentication against an OpenID Connect issuer.

The issuer's keys are fetched on first use, and again when they are old or a token names an unknown key. Only asymmetric
algorithms are accepted, so that knowledge of a public key does not allow signing. The server imports this module only if an
issuer is set, because it pulls in the cryptography package.
"""

import asyncio
import hashlib
import logging
import math
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from cachetools import LRUCache

from resolvers.caller import caller_with_scopes
from server.auth.authenticator import INVALID_TOKEN
from server.auth.identity import Identity
from server.config.network import is_loopback
from server.http.errors import RETRY_AFTER, HttpError, unauthenticated

log = logging.getLogger("ratesgraph.server")

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
REQUIRED = ["exp", "iss", "aud", "sub"]
LEEWAY_SECONDS = 30
"""Accepted difference between the clocks of the issuer and the server."""
LATEST_EXPIRY = 1e12
"""Latest expiry, in seconds since 1970: some 30,000 years ahead.

Larger numbers overflow in arithmetic with times.
"""
JWKS_TTL_SECONDS = 900.0
MIN_REFETCH_SECONDS = 10.0
"""Minimum interval between fetches.

Tokens with unknown key IDs thus cannot flood the issuer.
"""
TIMEOUT_SECONDS = 5.0
MAX_KEYS_BYTES = 1_000_000
MAX_TOKEN_LENGTH = 8_192
MAX_NAME_LENGTH = 255
"""Characters of `sub` (OpenID Connect Core, section 2)."""
MAX_CACHED_TOKENS = 10_000


class OidcAuthenticator:
    """Authenticator for the tokens of one issuer and one audience.

    Verified tokens are cached (LRU); a cached token costs one SHA-256 digest.
    """

    def __init__(self, issuer: str, audience: str, jwks_url: str, *, reads_are_open: bool) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url
        self._reads_are_open = reads_are_open
        self._cached_tokens: LRUCache[bytes, Identity] = LRUCache(MAX_CACHED_TOKENS)
        self._keys: list[jwt.PyJWK] = []
        self._fetched_at = self._tried_at = -math.inf
        self._fetch_lock = asyncio.Lock()

    def get_cached(self, token: str) -> Identity | None:
        """Return the identity of a cached token that has not expired, or None."""
        cached = self._cached_tokens.get(hashlib.sha256(token.encode()).digest())
        return cached if cached is not None and cached.remaining() > 0 else None

    async def authenticate(self, token: str) -> Identity:
        """Return the identity of a token.

        Raise HttpError (UNAUTHENTICATED; ISSUER_UNAVAILABLE, 503).
        """
        digest = hashlib.sha256(token.encode()).digest()
        cached = self._cached_tokens.get(digest)
        if cached is None:
            cached = self._cached_tokens[digest] = await self._verify(token)
        if cached.remaining() <= 0:
            self._cached_tokens.pop(digest, None)
            raise unauthenticated(INVALID_TOKEN, was_given=True)
        return cached

    async def _verify(self, token: str) -> Identity:
        try:
            if len(token) > MAX_TOKEN_LENGTH:
                raise jwt.InvalidTokenError
            key = await self._find_key(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise jwt.InvalidTokenError
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED},
            )
        except (jwt.PyJWTError, OverflowError) as error:
            # Older versions of PyJWT accept 1e999 as a number and overflow later.
            raise unauthenticated(INVALID_TOKEN, was_given=True) from error
        name, scope, expiry = claims["sub"], claims.get("scope"), claims["exp"]
        if not (isinstance(expiry, int | float) and expiry <= LATEST_EXPIRY):
            # PyJWT also accepts a string of digits, which is not a NumericDate (RFC 7519, section 2).
            raise unauthenticated("Invalid token: `exp` must be a number of seconds since 1970.", was_given=True)
        if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable()):
            message = f"Invalid token: `sub` must be 1 to {MAX_NAME_LENGTH} printable characters."
            raise unauthenticated(message, was_given=True)
        scopes = scope.split(" ") if isinstance(scope, str) else []
        caller = caller_with_scopes(f"oidc:{name}", scopes, reads_are_open=self._reads_are_open)
        # `exp` is a time of the system clock, which the issuer and the server keep correct.
        return Identity(caller, claims["exp"] + LEEWAY_SECONDS, time.time)

    async def _find_key(self, key_id: object) -> jwt.PyJWK | None:
        """Return the key with the ID; a token without a key ID uses the issuer's only key."""
        key = self._key_by_id(key_id)
        if key is None or self._fetched_at < time.monotonic() - JWKS_TTL_SECONDS:
            async with self._fetch_lock:
                # Another request may have fetched the keys in the meantime.
                if self._tried_at < time.monotonic() - MIN_REFETCH_SECONDS:
                    await self._fetch()
            key = self._key_by_id(key_id)
        if not self._keys:
            message = "The token issuer's keys are unavailable. Try again shortly."
            raise HttpError("ISSUER_UNAVAILABLE", message, status=503, headers=RETRY_AFTER)
        return key

    def _key_by_id(self, key_id: object) -> jwt.PyJWK | None:
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    async def _fetch(self) -> None:
        """Fetch the issuer's keys. If that fails, the previous keys remain in use."""
        self._tried_at = time.monotonic()
        # Proxies from the environment do not apply to loopback addresses.
        is_local = is_loopback(urlsplit(self._jwks_url).hostname or "")
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                httpx.AsyncClient(trust_env=not is_local, timeout=TIMEOUT_SECONDS) as http,
                http.stream("GET", self._jwks_url) as response,
            ):
                response.raise_for_status()
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_KEYS_BYTES:
                        raise ValueError("the JWK set is too large")
            keys = jwt.PyJWKSet.from_json(body.decode()).keys
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, AttributeError, TimeoutError) as error:
            log.warning(
                "fetching the token issuer's keys failed (%s); the previous keys remain in use", type(error).__name__
            )
        else:
            self._keys = [key for key in keys if key.public_key_use in {None, "sig"}]
            self._fetched_at = time.monotonic()
