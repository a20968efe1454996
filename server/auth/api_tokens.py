"""API tokens as text: `rgt_`, a public part by which a token is looked up, and its secret.

The prefix is there for secret scanners, which find a token that has been published by mistake. What is kept of a token is its
SHA-256: slow hashes and salt are for passwords, which people choose and attackers guess; of 256 random bits nobody guesses
any, and a digest that takes microseconds lets every request be checked.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

from db.connection import Connection
from db.repositories import audit, tokens
from db.repositories.audit import COMMAND, Action

SHAPE = re.compile(r"rgt_(?P<id>[0-9a-f]{16})_[A-Za-z0-9_-]{43}")
ID = re.compile(r"(rgt_)?(?P<id>[0-9a-f]{16})(_[A-Za-z0-9_-]{43})?")


def hash_token(token: str) -> bytes:
    """Return what is kept of a token, and compared."""
    return hashlib.sha256(token.encode()).digest()


def parse_token_id(token: str) -> str | None:
    """Return the public part of a token, or None for a text that is no API token."""
    found = SHAPE.fullmatch(token)
    return found and found["id"]


def parse_token_reference(text: str) -> str | None:
    """Return the id in what somebody gives to name a token: its id, or the token itself."""
    found = ID.fullmatch(text.strip())
    return found and found["id"]


async def create_token(
    connection: Connection, name: str, scopes: Sequence[str], expires_at: datetime | None
) -> tuple[str, str]:
    """Keep a new token and return its id and the token, which cannot be had a second time."""
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
    """Revoke a token and return its name, or None where there is none that could be revoked."""
    async with connection.transaction():
        name = await tokens.revoke_token(connection, token_id)
        if name is not None:
            await audit.insert_entry(connection, COMMAND, Action.REVOKE_TOKEN, detail=f"{token_id} of {name}")
    return name
