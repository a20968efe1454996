"""Errors about values of enums: they list the allowed ones where the schema is open."""

from collections.abc import Iterator

import pytest

from tests.support.fixtures.server import Client, running_server

QUERIES = [
    ("{ locations(kind: PROT, first: 1) { totalCount } }", None),
    ("{ locations(kind: 3, first: 1) { totalCount } }", None),
    ("query ($kind: LocationKind) { locations(kind: $kind, first: 1) { totalCount } }", "SHIP"),
]


@pytest.fixture(scope="module", params=["development", "production"])
def server(request: pytest.FixtureRequest, module_database_url: str) -> Iterator[tuple[str, Client]]:
    """Yield the profile and a server in it."""
    with running_server(module_database_url, profile=request.param) as client:
        yield request.param, client


@pytest.mark.parametrize(("query", "kind"), QUERIES)
def test_error_of_an_enum_lists_its_values_in_development(
    server: tuple[str, Client], query: str, kind: str | None
) -> None:
    profile, client = server
    message = client.fail(query, kind=kind)["message"]
    assert message.endswith(" Allowed values: PORT, REGION.") == (profile == "development")
    assert ("PORT" in message) == (profile == "development")
