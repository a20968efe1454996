"""API tokens and their headers."""

import asyncio
from datetime import datetime

from db.pool import INGEST, connect
from server.auth.token_management import create_token


def create_api_token(database_url: str, *scopes: str, name: str = "test", expires_at: datetime | None = None) -> str:
    """Create a token and return it."""

    async def create() -> str:
        async with connect(database_url, INGEST) as connection:
            return (await create_token(connection, name, scopes, expires_at))[1]

    return asyncio.run(create())


def authorization_header(token: str | None) -> dict[str, str]:
    """Return the Authorization header of the token, or no header without a token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}
