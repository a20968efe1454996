"""Pages: their paths, security headers and validators, and what is shown without them."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from server.config.settings import Settings
from server.pages.built_pages import BuiltPages, path_of, read_built_pages
from server.pages.site import Site
from tests.support.fixtures.server import Client, running_server
from tests.support.pages.built import require_pages

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
KNOWN = {"documents": "any", "hasDemoData": False}
META = re.compile(r'<meta name="ratesgraph" content="([^"]*)">')


@pytest.fixture(scope="module")
def built() -> BuiltPages:
    """Return the built pages."""
    return require_pages()


@pytest.fixture(scope="module")
def production(module_database_url: str) -> Iterator[Client]:
    """Yield a server in the production profile, which requires tokens for reading and writing."""
    settings = {"profile": "production", "anonymous_reads": False}
    with running_server(module_database_url, writes_are_open=False, **settings) as client:
        yield client


@pytest.fixture(scope="module")
def development(module_database_url: str) -> Iterator[Client]:
    """Yield a server in the development profile."""
    with running_server(module_database_url) as client:
        yield client


def metadata(page: str) -> dict[str, Any]:
    """Return what a page knows of its server."""
    found = META.search(page)
    assert found
    known: dict[str, Any] = json.loads(html.unescape(found[1]))
    return known


def test_pages_are_served_in_both_profiles(built: BuiltPages, development: Client, production: Client) -> None:
    paths = {path_of(name) for name in built.sources}
    assert {"/", "/graphql"} <= paths
    for path in paths - {"/graphql"}:
        for client in (development, production):
            page = client.http.get(path, headers=BROWSER)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert client.http.post(path).status_code == 405


def test_pages_know_the_profile_and_what_needs_a_token(
    built: BuiltPages, development: Client, production: Client
) -> None:
    known = metadata(development.http.get("/").text)
    assert known.pop("pages") == [path_of(name) for name in built.sources]
    assert known == {"profile": "development", "reads": "open", "writes": "open", **KNOWN}
    known = metadata(production.http.get("/").text)
    assert "/graphql" not in known.pop("pages")
    assert known == {"profile": "production", "reads": "token", "writes": "token", **KNOWN}


def test_pages_of_production_do_not_mention_graphiql(built: BuiltPages, production: Client) -> None:
    for name in built.sources.keys() - {"graphiql"}:
        assert "graphiql" not in production.http.get(path_of(name)).text.lower()


def test_pages_allow_nothing_inline_and_no_other_origin(built: BuiltPages, development: Client) -> None:
    for name in built.sources:
        page = development.http.get(path_of(name), headers=BROWSER)
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        # Monaco, the editor of GraphiQL, sets styles on elements.
        assert policy["style-src"] == ("'self' 'unsafe-inline'" if name == "graphiql" else "'self'")
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "<style" not in page.text
        assert not re.search(r"<script(?![^>]* src=)", page.text)
        assert all(url.startswith("/assets/") for url in re.findall(r'(?:src|href)="([^"]*)"', page.text))
        assert re.search(r'<html lang="en">.*<title>[^<]+</title>', page.text, re.DOTALL)


def test_browsers_revalidate_pages_by_etag(built: BuiltPages, development: Client) -> None:
    for name in built.sources:
        page = development.http.get(path_of(name), headers=BROWSER)
        assert page.headers["cache-control"] == "private, no-cache"
        for sent in (page.headers["etag"], f'"other", W/{page.headers["etag"]}', "*"):
            again = development.http.get(path_of(name), headers=BROWSER | {"If-None-Match": sent})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == page.headers["etag"]
        other = development.http.get(path_of(name), headers=BROWSER | {"If-None-Match": '"other"'})
        assert other.content == page.content


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "they were never built"),
        ("{", "they were never built"),
        ("{}", "they were never built"),
        ('{"failed": "<npm> could not be reached"}', "&lt;npm&gt; could not be reached"),
    ],
)
async def test_missing_page_explains_reason_and_remedy(tmp_path: Path, record: str | None, reason: str) -> None:
    if record is not None:
        (tmp_path / "built.json").write_text(record)
    site = Site(read_built_pages(tmp_path), Settings(), writes_are_open=False)
    app = Starlette(routes=[*site.routes, Mount("/graphql", site.graphiql)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pages") as http:
        front, graphiql = await http.get("/"), await http.get("/graphql/")
        assert (await http.get("/assets/x.js")).status_code == 404
    for page in (front, graphiql):
        assert page.status_code == 200
        assert reason in page.text
        assert "make pages" in page.text
    assert "GraphiQL" in graphiql.text
    assert "GraphiQL" not in front.text
