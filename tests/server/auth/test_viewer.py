"""`viewer`: every caller that the server admits learns who the server takes it for."""

import pytest

from tests.support.fixtures.server import running_server
from tests.support.tokens import authorization_header, create_api_token

QUERY = "{ viewer { name scopes } }"


@pytest.mark.parametrize("anonymous_reads", [True, False])
def test_viewer_tells_every_caller_its_name_and_scopes(database_url: str, anonymous_reads: bool) -> None:
    tokens = {scope: create_api_token(database_url, scope, name=scope) for scope in ("read", "upload", "admin")}
    with running_server(database_url, writes_are_open=False, anonymous_reads=anonymous_reads) as client:

        def ask(token: str | None) -> object:
            headers = authorization_header(token) if token else {}
            found = client.http.post("/graphql", json={"query": QUERY}, headers=headers).json()
            return found["data"]["viewer"] if "data" in found else found["errors"][0]["extensions"]["code"]

        read = ["READ"] if anonymous_reads else []
        assert ask(None) == ({"name": None, "scopes": read} if anonymous_reads else "UNAUTHENTICATED")
        assert ask(tokens["read"]) == {"name": "token:read", "scopes": ["READ"]}
        assert ask(tokens["upload"]) == {"name": "token:upload", "scopes": [*read, "UPLOAD"]}
        assert ask(tokens["admin"]) == {"name": "token:admin", "scopes": ["ADMIN", "READ", "UPLOAD"]}
