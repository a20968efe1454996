"""Management of API tokens: format, creation, hashing and revocation.

`server.auth.authenticator` verifies the tokens of requests.

A token consists of the prefix `rgt_`, a public ID for the lookup, and a secret. The prefix lets secret scanners find a token
that was published by mistake. The database stores the SHA-256 of a token. Slow hashes and salts protect passwords, which
attackers can guess. They add nothing to 256 random bits, and a digest of microseconds allows a check at every request.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

from db.connection import Connection
from db.repositories import audit, tokens
from db.repositories.audit import COMMAND, Action

TOKEN_PATTERN = re.compile(r"rgt_(?P<id>[0-9a-f]{16})_[A-Za-z0-9_-]{43}")
REFERENCE_PATTERN = re.compile(r"(rgt_)?(?P<id>[0-9a-f]{16})(_[A-Za-z0-9_-]{43})?")


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token, as stored in the database."""
    return hashlib.sha256(token.encode()).digest()


def parse_token_id(token: str) -> str | None:
    """Return the public ID of an API token, or None if the text is not an API token."""
    match = TOKEN_PATTERN.fullmatch(token)
    return match and match["id"]


def parse_token_reference(text: str) -> str | None:
    """Return the token ID from an ID or a whole token, or None if the text is neither."""
    match = REFERENCE_PATTERN.fullmatch(text.strip())
    return match and match["id"]


async def create_token(
    connection: Connection, name: str, scopes: Sequence[str], expires_at: datetime | None
) -> tuple[str, str]:
    """Create a token and return its ID and the token itself, which cannot be retrieved later."""
    token_id = secrets.token_hex(8)
    token = f"rgt_{token_id}_{secrets.token_urlsafe(32)}"
    async with connection.transaction():
        await tokens.insert_token(
            connection, id=token_id, name=name, scopes=scopes, secret_sha256=hash_token(token), expires_at=expires_at
        )
        detail = f"{token_id} of {name}: {' '.join(scopes)}"
        await audit.insert_entry(connection, COMMAND, Action.CREATE_TOKEN, detail=detail)
    return token_id, token


async def revoke_token(connection: Connection, token_id: str) -> str | None:
    """Revoke a token and return its name, or None if no active token has this ID."""
    async with connection.transaction():
        name = await tokens.revoke_token(connection, token_id)
        if name is not None:
            await audit.insert_entry(connection, COMMAND, Action.REVOKE_TOKEN, detail=f"{token_id} of {name}")
    return name
