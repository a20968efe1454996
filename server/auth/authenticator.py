"""Authentication of callers by token, with a cache in front of the database.

Tokens in use are refreshed twice a second with one statement. A cached token is trusted for at most one second after it was
last confirmed. Every process therefore rejects a revoked token within a second, independently of notifications. A request with
a cached token costs a dictionary lookup and a digest. The refresh also records the time of last use, every ten minutes.

The clock of the database decides when a token expires. It reports the remaining seconds, which the process measures with its
monotonic clock. The system clocks of the processes may therefore be wrong, or be set, without any effect on tokens.
"""

import asyncio
import contextlib
import hmac
import math
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from db.background import background_task
from db.connection import Connection
from db.errors import DatabaseError
from db.outage import MAX_WAITING
from db.pool import Pool
from db.repositories import tokens
from db.repositories.tokens import ApiToken
from resolvers.caller import AuthScope, Caller, caller_with_scopes
from server.auth.identity import Identity
from server.auth.same_host import Headers, is_same_host_request
from server.auth.token_management import hash_token, parse_token_id
from server.http.errors import unauthenticated, unavailable

MAX_AGE_SECONDS = 1.0
REFRESH_SECONDS = 0.5
IDLE_SECONDS = 60.0
"""A token unused for this long leaves the cache."""
MAX_CONCURRENT_LOOKUPS = 2
"""Connections of the read pool that lookups of unknown tokens may occupy."""
INVALID_TOKEN = "Invalid token: unknown, expired or revoked."  # noqa: S105


class JwtAuthenticator(Protocol):
    """Authenticator for signed tokens (JWTs) of an external issuer."""

    def get_cached(self, token: str) -> Identity | None:
        """Return the identity of a cached, valid token, or None."""

    async def authenticate(self, token: str) -> Identity:
        """Return the identity of a token. Raise HttpError (UNAUTHENTICATED; ISSUER_UNAVAILABLE)."""


@dataclass(slots=True)
class _CachedToken:
    """Cached API token. Its scopes never change; it can only expire or be revoked."""

    secret_sha256: bytes
    identity: Identity
    confirmed_at: float
    used_at: float = -math.inf

    def matches(self, token: str) -> bool:
        """Return whether the token equals this one and has not expired.

        The cache entry was found by the public ID. The comparison runs in constant time.
        """
        return hmac.compare_digest(self.secret_sha256, hash_token(token)) and self.identity.remaining() > 0

    def touch(self) -> Identity:
        """Record the use and return the identity."""
        self.used_at = time.monotonic()
        return self.identity


class Authenticator:
    """Authenticates callers by API token or JWT.

    With `writes_are_open`, same-host requests without a token get all scopes, unless anonymous reads are disabled.
    """

    def __init__(
        self, pool: Pool, jwts: JwtAuthenticator | None, *, reads_are_open: bool, writes_are_open: bool
    ) -> None:
        self._pool = pool
        self._jwts = jwts
        self._reads_are_open = reads_are_open
        self._writes_are_open = writes_are_open
        self._anonymous_identity = Identity(caller_with_scopes("", [], reads_are_open=reads_are_open))
        self._local_admin = Identity(Caller("", frozenset(AuthScope)))
        self._cached_tokens: dict[str, _CachedToken] = {}
        self._lookup_semaphore = asyncio.Semaphore(MAX_CONCURRENT_LOOKUPS)
        self._waiting_lookups = 0

    def authenticate_cached(self, headers: Headers) -> Identity | None:
        """Return the identity for these headers without I/O, or None if `authenticate` must decide."""
        authorization = headers.get(b"authorization")
        if authorization is None:
            return self._anonymous(headers) if self._reads_are_open else None
        scheme, token, token_id = _parse_authorization(authorization)
        if scheme != "bearer":
            return None
        if token_id is None:
            return None if self._jwts is None else self._jwts.get_cached(token)
        cached = self._get_fresh(token_id)
        return cached.touch() if cached is not None and cached.matches(token) else None

    async def authenticate(self, headers: Headers) -> Identity:
        """Return the identity for these headers.

        Raise HttpError (UNAUTHENTICATED, DATABASE_UNAVAILABLE, SERVER_BUSY).
        """
        authorization = headers.get(b"authorization")
        return self._anonymous(headers) if authorization is None else await self._authenticate_header(authorization)

    def _anonymous(self, headers: Headers) -> Identity:
        """Return the identity of a request without a token."""
        if not self._reads_are_open:
            raise unauthenticated("Authentication required: send an `Authorization: Bearer` token.", was_given=False)
        return (
            self._local_admin if self._writes_are_open and is_same_host_request(headers) else self._anonymous_identity
        )

    async def _authenticate_header(self, authorization: bytes) -> Identity:
        """Return the identity for an Authorization header."""
        scheme, token, token_id = _parse_authorization(authorization)
        if scheme != "bearer":
            raise unauthenticated("The Authorization header must be `Bearer <token>`.", was_given=True)
        if token_id is None:
            if self._jwts is None:
                raise unauthenticated(INVALID_TOKEN, was_given=True)
            return await self._jwts.authenticate(token)
        cached = self._get_fresh(token_id) or await self._fetch(token_id)
        if cached is None or not cached.matches(token):
            raise unauthenticated(INVALID_TOKEN, was_given=True)
        return cached.touch()

    def _get_fresh(self, token_id: str) -> _CachedToken | None:
        cached = self._cached_tokens.get(token_id)
        return cached if cached is not None and cached.confirmed_at > time.monotonic() - MAX_AGE_SECONDS else None

    async def _fetch(self, token_id: str) -> _CachedToken | None:
        if self._waiting_lookups >= MAX_WAITING:
            raise unavailable(self._pool.overload_error())
        self._waiting_lookups += 1
        try:
            async with self._lookup_semaphore:
                # Another request may have refreshed the token in the meantime.
                if self._get_fresh(token_id) is None:
                    await self._refresh([token_id])
        except DatabaseError as error:
            raise unavailable(error) from error
        finally:
            self._waiting_lookups -= 1
        return self._get_fresh(token_id)

    async def refresh_forever(self) -> None:
        """Refresh the tokens in use periodically and drop idle ones."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            oldest = time.monotonic() - IDLE_SECONDS
            for token_id, cached in list(self._cached_tokens.items()):
                if cached.used_at < oldest and not cached.identity.active_streams:
                    del self._cached_tokens[token_id]
            in_use = list(self._cached_tokens)
            if in_use:
                # During an outage the cached tokens expire by age.
                with contextlib.suppress(DatabaseError):
                    await self._refresh(in_use)

    async def _refresh(self, token_ids: Collection[str]) -> None:
        """Confirm the tokens that are valid now and revoke the others, which closes their streams."""
        queried_at, valid = await self._pool.read(partial(self._fetch_and_touch, token_ids))
        for token_id in token_ids:
            token, cached = valid.get(token_id), self._cached_tokens.get(token_id)
            if token is None:
                if cached is not None:
                    cached.identity.revoked.set()
                    del self._cached_tokens[token_id]
            elif cached is None:
                self._cached_tokens[token_id] = self._to_cached(token, queried_at)
            elif queried_at > cached.confirmed_at:
                cached.confirmed_at = queried_at
                cached.identity.expires_at = _expiry(token, queried_at)

    async def _fetch_and_touch(
        self, token_ids: Collection[str], connection: Connection
    ) -> tuple[float, dict[str, ApiToken]]:
        """Return the time of the query and the valid tokens, and record their use.

        Recording is idempotent, so a retry of the read is safe.
        """
        queried_at = time.monotonic()
        valid = {token.id: token for token in await tokens.find_tokens(connection, token_ids)}
        to_touch = [
            token.id
            for token in valid.values()
            if token.id in self._cached_tokens
            and self._cached_tokens[token.id].used_at > -math.inf
            and token.is_use_due
        ]
        if to_touch:
            await tokens.touch_tokens(connection, to_touch)
        return queried_at, valid

    def _to_cached(self, token: ApiToken, queried_at: float) -> _CachedToken:
        caller = caller_with_scopes(f"token:{token.name}", token.scopes, reads_are_open=self._reads_are_open)
        return _CachedToken(token.secret_sha256, Identity(caller, _expiry(token, queried_at)), queried_at)


def _expiry(token: ApiToken, queried_at: float) -> float:
    """Return when the token expires, as a time of the monotonic clock."""
    return math.inf if token.seconds_left is None else queried_at + token.seconds_left


def _parse_authorization(authorization: bytes) -> tuple[str, str, str | None]:
    """Return the scheme and the token of a header, and the token ID if it is an API token."""
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    token = token.strip()
    return scheme.lower(), token, parse_token_id(token)


@asynccontextmanager
async def open_authenticator(
    pool: Pool, jwts: JwtAuthenticator | None, *, reads_are_open: bool, writes_are_open: bool
) -> AsyncIterator[Authenticator]:
    """Run an authenticator for the duration of the block."""
    authenticator = Authenticator(pool, jwts, reads_are_open=reads_are_open, writes_are_open=writes_are_open)
    async with background_task(authenticator.refresh_forever()):
        yield authenticator
