"""Recognises callers by their tokens, without asking the database at every request.

Tokens that are in use are looked up again twice a second, all in one statement, and one that was not seen valid within the last
second is not believed. So a token that is revoked is refused everywhere within a second, whatever happens to notifications,
and a request with a token in use costs a look into a dictionary and a digest. How long ago a token was used is written
down by the same work, every ten minutes.
"""

import asyncio
import contextlib
import hmac
import math
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from db.background import background_task
from db.connection import Connection
from db.errors import DatabaseError
from db.outage import MAX_WAITING
from db.pool import Pool
from db.repositories import tokens
from db.repositories.tokens import ApiToken
from resolvers.caller import Caller, Scope, caller_with_scopes
from server.auth.api_tokens import hash_token, parse_token_id
from server.auth.identity import Identity
from server.auth.same_host import Headers, is_same_host_request
from server.http.errors import unauthenticated, unavailable

MAX_AGE_SECONDS = 1.0
REFRESH_SECONDS = 0.5
IDLE_SECONDS = 60.0
"""After which a token that nobody uses is looked up no longer."""
LAST_USED_INTERVAL = timedelta(minutes=10)
MAX_CONCURRENT_LOOKUPS = 2
"""However many unknown tokens are tried, as many connections of the reading pool are theirs at most."""
INVALID_TOKEN = "The token is unknown, wrong, expired or revoked."  # noqa: S105


class JwtAuthenticator(Protocol):
    """Recognises callers by what somebody else has signed."""

    def get_cached(self, token: str) -> Identity | None:
        """Return who is named by a token that is known already and holds."""

    async def authenticate(self, token: str) -> Identity:
        """Return who is named. Raise BadRequest (UNAUTHENTICATED; ISSUER_UNAVAILABLE)."""


@dataclass(slots=True)
class _CachedToken:
    """A token in use. Nothing of it ever changes but that it ends."""

    secret_sha256: bytes
    identity: Identity
    confirmed_at: float
    used_at: float = -math.inf

    def matches(self, token: str) -> bool:
        """Return whether this is the token, and it has not expired.

        Its public part says which it would be; the time that a comparison takes says nothing about the secret.
        """
        return hmac.compare_digest(self.secret_sha256, hash_token(token)) and self.identity.expires_at > time.time()

    def touch(self) -> Identity:
        """Take note of the use and return who it is."""
        self.used_at = time.monotonic()
        return self.identity


class Authenticator:
    """Those who call this process. `writes_are_open` makes everybody on this machine its admin, if reading is open too."""

    def __init__(
        self, pool: Pool, jwts: JwtAuthenticator | None, *, reads_are_open: bool, writes_are_open: bool
    ) -> None:
        self._pool = pool
        self._jwts = jwts
        self._reads_are_open = reads_are_open
        self._writes_are_open = writes_are_open
        self._anonymous_identity = Identity(caller_with_scopes("", [], reads_are_open=reads_are_open))
        self._local_admin = Identity(Caller("", frozenset(Scope)))
        self._cached_tokens: dict[str, _CachedToken] = {}
        self._lookup_semaphore = asyncio.Semaphore(MAX_CONCURRENT_LOOKUPS)
        self._waiting_lookups = 0

    def authenticate_cached(self, headers: Headers) -> Identity | None:
        """Return who sends a request with these headers where that is known at once, and None where `recognise` has to look."""
        authorization = headers.get(b"authorization")
        if authorization is None:
            return self._anonymous(headers) if self._reads_are_open else None
        scheme, token, token_id = _parse_authorization(authorization)
        if scheme != "bearer":
            return None
        if token_id is None:
            return None if self._jwts is None else self._jwts.get_cached(token)
        known = self._get_fresh(token_id)
        return known.touch() if known is not None and known.matches(token) else None

    async def authenticate(self, headers: Headers) -> Identity:
        """Return who sends a request with these headers. Raise HttpError.

        Its code is UNAUTHENTICATED, DATABASE_UNAVAILABLE or SERVER_BUSY.
        """
        authorization = headers.get(b"authorization")
        return self._anonymous(headers) if authorization is None else await self._authenticate_header(authorization)

    def _anonymous(self, headers: Headers) -> Identity:
        """Return who calls without a token."""
        if not self._reads_are_open:
            raise unauthenticated("This server answers nobody without a token.", was_given=False)
        return (
            self._local_admin if self._writes_are_open and is_same_host_request(headers) else self._anonymous_identity
        )

    async def _authenticate_header(self, authorization: bytes) -> Identity:
        """Return who calls with this header."""
        scheme, token, token_id = _parse_authorization(authorization)
        if scheme != "bearer":
            raise unauthenticated("Authorization is not of the form `Bearer` and a token.", was_given=True)
        if token_id is None:
            if self._jwts is None:
                raise unauthenticated(INVALID_TOKEN, was_given=True)
            return await self._jwts.authenticate(token)
        known = self._get_fresh(token_id) or await self._fetch(token_id)
        if known is None or not known.matches(token):
            raise unauthenticated(INVALID_TOKEN, was_given=True)
        return known.touch()

    def _get_fresh(self, token_id: str) -> _CachedToken | None:
        known = self._cached_tokens.get(token_id)
        return known if known is not None and known.confirmed_at > time.monotonic() - MAX_AGE_SECONDS else None

    async def _fetch(self, token_id: str) -> _CachedToken | None:
        if self._waiting_lookups >= MAX_WAITING:
            raise unavailable(self._pool.overload_error())
        self._waiting_lookups += 1
        try:
            async with self._lookup_semaphore:
                # Another request may have looked meanwhile.
                if self._get_fresh(token_id) is None:
                    await self._refresh([token_id])
        except DatabaseError as error:
            raise unavailable(error) from error
        finally:
            self._waiting_lookups -= 1
        return self._get_fresh(token_id)

    async def refresh_forever(self) -> None:
        """Look up what is in use, again and again."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            oldest = time.monotonic() - IDLE_SECONDS
            for token_id, known in list(self._cached_tokens.items()):
                if known.used_at < oldest and not known.identity.active_streams:
                    del self._cached_tokens[token_id]
            in_use = list(self._cached_tokens)
            if in_use:
                # While the database is away, what is known grows too old by itself.
                with contextlib.suppress(DatabaseError):
                    await self._refresh(in_use)

    async def _refresh(self, token_ids: Collection[str]) -> None:
        """Take note of which of the tokens are accepted at this moment, and end what goes on under the others."""
        asked_at, found = await self._pool.read(partial(self._fetch_and_touch, token_ids))
        for token_id in token_ids:
            token, known = found.get(token_id), self._cached_tokens.get(token_id)
            if token is None:
                if known is not None:
                    known.identity.revoked.set()
                    del self._cached_tokens[token_id]
            elif known is None:
                self._cached_tokens[token_id] = self._to_cached(token, asked_at)
            else:
                known.confirmed_at = max(known.confirmed_at, asked_at)

    async def _fetch_and_touch(
        self, token_ids: Collection[str], connection: Connection
    ) -> tuple[float, dict[str, ApiToken]]:
        """Return when it was asked, and those that are accepted. To note their use twice is as good as once."""
        asked_at = time.monotonic()
        noted_before = datetime.now(UTC) - LAST_USED_INTERVAL
        found = {token.id: token for token in await tokens.find_tokens(connection, token_ids)}
        to_note = [
            token.id
            for token in found.values()
            if token.id in self._cached_tokens
            and self._cached_tokens[token.id].used_at > -math.inf
            and (token.last_used_at is None or token.last_used_at < noted_before)
        ]
        if to_note:
            await tokens.touch_tokens(connection, to_note)
        return asked_at, found

    def _to_cached(self, token: ApiToken, asked_at: float) -> _CachedToken:
        caller = caller_with_scopes(f"token:{token.name}", token.scopes, reads_are_open=self._reads_are_open)
        expires_at = math.inf if token.expires_at is None else token.expires_at.timestamp()
        return _CachedToken(token.secret_sha256, Identity(caller, expires_at), asked_at)


def _parse_authorization(authorization: bytes) -> tuple[str, str, str | None]:
    """Return the scheme of a header, the token in it, and the token's id, if it is one of ours."""
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    token = token.strip()
    return scheme.lower(), token, parse_token_id(token)


@asynccontextmanager
async def open_authenticator(
    pool: Pool, jwts: JwtAuthenticator | None, *, reads_are_open: bool, writes_are_open: bool
) -> AsyncIterator[Authenticator]:
    """Recognise callers until the end of the block."""
    callers = Authenticator(pool, jwts, reads_are_open=reads_are_open, writes_are_open=writes_are_open)
    async with background_task(callers.refresh_forever()):
        yield callers
