"""Greeting of a started server: it suggests only what this server answers."""

import re
import shlex
from pathlib import Path

import httpx
import pytest

from server.cli.banner import create_example, create_greeting, explain_missing_pages
from server.config.settings import Settings
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS

URL = "http://127.0.0.1:8000/graphql"


@pytest.mark.parametrize(
    ("persisted_only", "has_pages", "words"),
    [
        (False, True, "Open http://127.0.0.1:8000/ in a browser, or paste:"),
        (False, False, "Try it:"),
        (True, True, "Open http://127.0.0.1:8000/ in a browser"),
        (True, False, ""),
    ],
)
def test_greeting_suggests_only_what_the_server_answers(persisted_only: bool, has_pages: bool, words: str) -> None:
    settings = Settings().model_copy(update={"persisted_only": persisted_only, "documents_dir": Path()})
    address = f"Ratesgraph answers at {URL} (press Ctrl-C to stop)."
    assert create_greeting(settings, URL, has_pages=has_pages) == f"{address} {words}".rstrip()


def test_missing_pages_are_explained_in_one_line() -> None:
    line = explain_missing_pages("npm failed: connect ECONNREFUSED")
    assert line.startswith("The server has no pages for browsers: npm failed: connect ECONNREFUSED.")
    assert "make pages" in line
    assert "\n" not in line


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
        page = httpx.get(f"{url}/graphql", headers={"Accept": "text/html"}, timeout=DEADLINE_SECONDS)
        assert "graphiql" not in page.text.lower()
        process.terminate()
        printed, _ = process.communicate()
    command = next(line for line in printed.splitlines() if line.startswith("curl"))
    body = shlex.split(command)[-1]
    with serving(database_url) as (_, url):
        wait_until_answered(url)
        answer = httpx.post(
            f"{url}/graphql", content=body, headers={"Content-Type": "application/json"}, timeout=DEADLINE_SECONDS
        ).json()
    assert re.search(r"locations", body)
    assert answer == {"data": {"locations": {"edges": []}}}
