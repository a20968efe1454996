"""Greeting of a started server: it suggests only what this server answers."""

import re
import shlex
from pathlib import Path

import httpx
import pytest

from server.cli.banner import create_example, create_greeting
from server.config.settings import Settings
from tests.support.http.server_process import serving, wait_until_answered

URL = "http://127.0.0.1:8000/graphql"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"profile": "development"}, "Open it in a browser, or paste:"),
        ({"profile": "production"}, "(press Ctrl-C to stop). Try it:"),
        ({"profile": "production", "persisted_only": True, "documents_dir": Path()}, "(press Ctrl-C to stop)."),
    ],
)
def test_greeting_suggests_a_browser_only_where_graphiql_is_served(settings: dict[str, object], words: str) -> None:
    assert create_greeting(Settings().model_copy(update=settings), URL).endswith(words)


def test_example_asks_for_the_demo_lane_only_where_it_exists() -> None:
    settings = Settings()
    assert "china_main" in (create_example(settings, URL, is_demo=True) or "")
    assert "locations(first: 3)" in (create_example(settings, URL, is_demo=False) or "")
    assert "Authorization" not in (create_example(settings, URL, is_demo=True) or "")
    closed = settings.model_copy(update={"anonymous_reads": False})
    assert "Authorization: Bearer" in (create_example(closed, URL, is_demo=True) or "")
    assert create_example(settings.model_copy(update={"persisted_only": True}), URL, is_demo=True) is None


def test_example_of_a_server_without_demo_data_is_answered(database_url: str) -> None:
    with serving(database_url) as (process, url):
        wait_until_answered(url)
        page = httpx.get(f"{url}/graphql", headers={"Accept": "text/html"})
        assert "graphiql" not in page.text.lower()
        process.terminate()
        printed, _ = process.communicate()
    command = next(line for line in printed.splitlines() if line.startswith("curl"))
    body = shlex.split(command)[-1]
    with serving(database_url) as (_, url):
        wait_until_answered(url)
        answer = httpx.post(f"{url}/graphql", content=body, headers={"Content-Type": "application/json"}).json()
    assert re.search(r"locations", body)
    assert answer == {"data": {"locations": {"edges": []}}}
