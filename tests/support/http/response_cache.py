"""Requests that read and change data, and the cache status of their responses."""

import httpx

REVERT = "mutation ($id: ID!) { revertBatch(id: $id) { batch { status } } }"


MOVE = 'mutation { moveLocation(key: "NLRTM", parentSlug: "china") { userErrors { code } } }'


def cache_status(response: httpx.Response) -> str:
    """Return the Cache-Status header (RFC 9211) of a response."""
    return str(response.headers["cache-status"])
