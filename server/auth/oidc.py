"""Callers with a JWT that an OpenID Connect issuer has signed.

The issuer's keys are fetched when they are first needed, and again when they are old or a token names another. Only algorithms
with a key of two halves are taken: so nobody who knows the public half can sign. The server imports this module only where an
issuer is set, as it brings the cryptography along.
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
"""By how much the issuer's clock and ours may differ."""
LATEST_EXPIRY = 1e12
"""In 30,000 years. A number may be longer than what arithmetic with times takes."""
JWKS_TTL_SECONDS = 900.0
MIN_REFETCH_SECONDS = 10.0
"""At most: tokens that name keys which there are not cost the issuer no more than this."""
TIMEOUT_SECONDS = 5.0
MAX_KEYS_BYTES = 1_000_000
MAX_TOKEN_LENGTH = 8_192
MAX_NAME_LENGTH = 255
"""Of `sub` (OpenID Connect Core, section 2)."""
MAX_CACHED_TOKENS = 10_000


class OidcAuthenticator:
    """Recognises callers by the tokens of one issuer for one audience. A token that is known already costs a digest."""

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
        """Return who is named by a token that is known already and has not expired."""
        known = self._cached_tokens.get(hashlib.sha256(token.encode()).digest())
        return known if known is not None and known.expires_at > time.time() else None

    async def authenticate(self, token: str) -> Identity:
        """Return who is named. Raise BadRequest (UNAUTHENTICATED; ISSUER_UNAVAILABLE, 503)."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._cached_tokens.get(digest)
        if known is None:
            known = self._cached_tokens[digest] = await self._verify(token)
        if known.expires_at <= time.time():
            self._cached_tokens.pop(digest, None)
            raise unauthenticated(INVALID_TOKEN, was_given=True)
        return known

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
            # An older PyJWT lets 1e999 pass for a number until it counts with it.
            raise unauthenticated(INVALID_TOKEN, was_given=True) from error
        name, scope, expiry = claims["sub"], claims.get("scope"), claims["exp"]
        if not (isinstance(expiry, int | float) and expiry <= LATEST_EXPIRY):
            # PyJWT takes a string of digits too, which is no date of a JWT (RFC 7519, section 2).
            raise unauthenticated("The token's `exp` is no time.", was_given=True)
        if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable()):
            raise unauthenticated("The token's `sub` is no name.", was_given=True)
        scopes = scope.split(" ") if isinstance(scope, str) else []
        caller = caller_with_scopes(f"oidc:{name}", scopes, reads_are_open=self._reads_are_open)
        return Identity(caller, claims["exp"] + LEEWAY_SECONDS)

    async def _find_key(self, key_id: object) -> jwt.PyJWK | None:
        """Return the key with the id, or the only one for a token that names none."""
        found = self._key_by_id(key_id)
        if found is None or self._fetched_at < time.monotonic() - JWKS_TTL_SECONDS:
            async with self._fetch_lock:
                # Another request may have fetched them meanwhile.
                if self._tried_at < time.monotonic() - MIN_REFETCH_SECONDS:
                    await self._fetch()
            found = self._key_by_id(key_id)
        if not self._keys:
            message = "The issuer of tokens does not answer. Try again shortly."
            raise HttpError("ISSUER_UNAVAILABLE", message, status=503, headers=RETRY_AFTER)
        return found

    def _key_by_id(self, key_id: object) -> jwt.PyJWK | None:
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    async def _fetch(self) -> None:
        """Read the issuer's keys anew; where that fails, those that are known hold on."""
        self._tried_at = time.monotonic()
        # A proxy is for the way out, not for one's own machine.
        on_our_own = is_loopback(urlsplit(self._jwks_url).hostname or "")
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                httpx.AsyncClient(trust_env=not on_our_own, timeout=TIMEOUT_SECONDS) as http,
                http.stream("GET", self._jwks_url) as response,
            ):
                response.raise_for_status()
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_KEYS_BYTES:
                        raise ValueError("the document of keys is too large")
            keys = jwt.PyJWKSet.from_json(body.decode()).keys
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, AttributeError, TimeoutError) as error:
            log.warning("the keys of the issuer of tokens could not be read: %s", type(error).__name__)
        else:
            self._keys = [key for key in keys if key.public_key_use in {None, "sig"}]
            self._fetched_at = time.monotonic()
