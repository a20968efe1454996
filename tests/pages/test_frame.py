"""Frame of the pages: navigation, demo banner, token dialog, errors, accessibility."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.pages.visit import Visit
from tests.support.tokens import create_api_token

pytestmark = pytest.mark.slow

MAX_SHIFT = 0.02
LAYOUT_SHIFT = """() => new Promise((resolve) => new PerformanceObserver((list) => resolve(
  list.getEntries().reduce((sum, { value }) => sum + value, 0))).observe({ type: 'layout-shift', buffered: true })
  || setTimeout(() => resolve(0), 500))"""
"""Sum of the layout shifts so far (https://wicg.github.io/layout-instability/); browsers report none if there was none."""
MAX_ASSET_BYTES = 100_000
"""Compressed bytes of the scripts and styles of the front page."""
PHONE = {"width": 390, "height": 844}
SCREENS: dict[str, Json] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE},
    "forced": {"forced_colors": "active"},
}


@pytest.fixture(scope="module")
def server(demo_url: str) -> Iterator[Client]:
    """Yield a server of demo data in the development profile."""
    with running_server(demo_url) as client:
        yield client


def leave_unanswered(_route: Route) -> None:
    """Send no request, as over a connection that is dead."""


def url_of(client: Client) -> str:
    """Return the URL of a server."""
    return str(client.http.base_url)


@pytest.mark.parametrize("screen", SCREENS)
def test_front_page_shows_period_and_demo_banner(
    server: Client, open_visit: VisitOpener, axe: Path, screen: str
) -> None:
    visit = open_visit(url_of(server), "/", **SCREENS[screen])
    visit.page.get_by_text("up to 15 Jul 2026").wait_for()
    expect(visit.page.get_by_text("synthetic")).to_be_visible()
    assert not visit.overflows()
    assert not visit.find_violations(axe)
    visit.take_screenshot(f"front-{screen}")


def test_front_page_loads_little_and_nothing_of_graphiql(server: Client, open_visit: VisitOpener) -> None:
    visit = open_visit(url_of(server), "/")
    visit.page.get_by_text("up to 15 Jul 2026").wait_for()
    loaded: list[list[Any]] = visit.page.evaluate(
        "performance.getEntriesByType('resource').map((each) => [each.name, each.encodedBodySize])"
    )
    assets = {name: size for name, size in loaded if "/assets/" in name}
    assert 0 < sum(assets.values()) < MAX_ASSET_BYTES
    assert not [name for name in assets if "graphiql" in name or "monaco" in name]


def test_keyboard_reaches_the_content_past_the_navigation(server: Client, open_visit: VisitOpener) -> None:
    visit = open_visit(url_of(server), "/")
    visit.page.get_by_text("up to 15 Jul 2026").wait_for()
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator("#content")).to_be_focused()


def test_front_page_of_an_empty_server_says_what_to_do(
    module_database_url: str, open_visit: VisitOpener, axe: Path
) -> None:
    with running_server(module_database_url, profile="production") as client, open_visit(url_of(client), "/") as visit:
        visit.page.get_by_text("There are no prices yet").wait_for()
        expect(visit.page.get_by_role("link", name="GraphQL")).to_have_count(0)
        assert not visit.find_violations(axe)
        visit.take_screenshot("front-empty")


def fill_token_dialog(visit: Visit, token: str) -> None:
    """Enter a token into the dialog and confirm it by the keyboard."""
    visit.page.get_by_label("Token", exact=True).fill(token)
    visit.page.keyboard.press("Enter")


def test_front_page_asks_for_a_token_where_reading_needs_one(
    module_database_url: str, open_visit: VisitOpener, axe: Path
) -> None:
    token = create_api_token(module_database_url, "read")
    with running_server(module_database_url, anonymous_reads=False) as client, open_visit(url_of(client), "/") as visit:
        dialog = visit.page.get_by_role("dialog")
        dialog.get_by_text("This server answers only callers with a token.").wait_for()
        assert not visit.find_violations(axe)
        visit.take_screenshot("front-token")
        fill_token_dialog(visit, "rgt_wrong")
        dialog.get_by_text("The server refused the token.").wait_for()
        fill_token_dialog(visit, token)
        visit.page.get_by_text("There are no prices yet").wait_for()
        expect(dialog).to_be_hidden()
        visit.page.get_by_role("button", name="Token: set").click()
        visit.page.get_by_role("button", name="Forget token").click()
        dialog.get_by_text("This server answers only callers with a token.").wait_for()
        visit.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        visit.expect_console("401 (Unauthorized)")


def test_front_page_tries_again_when_the_server_is_away(
    module_database_url: str, open_visit: VisitOpener, axe: Path
) -> None:
    with running_server(module_database_url) as client, open_visit(url_of(client), "/") as visit:
        visit.page.get_by_text("There are no prices yet").wait_for()
        visit.page.route("**/graphql", lambda route: route.abort())
        visit.page.reload()
        visit.page.get_by_text("The server cannot be reached.").wait_for()
        assert not visit.find_violations(axe)
        visit.take_screenshot("front-offline")
        # The next attempt of the page itself is far off after some failures, so that the button is there for the last click.
        for _ in range(4):
            with visit.page.expect_event("requestfailed"):
                visit.page.get_by_role("button", name="Try again").click()
        visit.page.unroute("**/graphql")
        visit.page.get_by_role("button", name="Try again").click()
        visit.page.get_by_text("There are no prices yet").wait_for()
        # By itself.
        visit.page.route("**/graphql", lambda route: route.abort())
        visit.page.reload()
        visit.page.get_by_text("The server cannot be reached.").wait_for()
        visit.page.unroute("**/graphql")
        visit.page.get_by_text("There are no prices yet").wait_for()
        visit.expect_console("net::ERR_FAILED")


@pytest.mark.parametrize("path", ["/", "/uploads", "/locations", "/status"])
def test_banner_of_demo_data_is_there_from_the_first_paint(demo_url: str, open_visit: VisitOpener, path: str) -> None:
    with running_server(demo_url) as client, open_visit(url_of(client), path) as visit:
        visit.page.get_by_text("these prices are synthetic").wait_for()
        # Without any answer of the API.
        visit.page.route("**/graphql", leave_unanswered)
        visit.page.reload()
        visit.page.get_by_text("these prices are synthetic").wait_for()


def test_first_chart_does_not_move_the_page(demo_url: str, open_visit: VisitOpener) -> None:
    with running_server(demo_url) as client, open_visit(url_of(client), "/") as visit:
        visit.page.get_by_text("lowest to highest price").wait_for()
        shifts = visit.page.evaluate(LAYOUT_SHIFT)
        # Of at most 0.1 a page counts as stable (web.dev/cls).
        assert shifts < MAX_SHIFT


def test_request_without_an_answer_is_given_up_and_repeated(module_database_url: str, open_visit: VisitOpener) -> None:
    with running_server(module_database_url) as client, open_visit(url_of(client), "/locations") as visit:
        visit.page.get_by_text("There are no locations yet.").wait_for()
        visit.page.clock.install()
        visit.page.route("**/graphql", leave_unanswered)
        visit.page.reload()
        visit.page.get_by_text("Loading…").wait_for()
        visit.page.clock.fast_forward(61_000)
        visit.page.get_by_text("The server cannot be reached.").first.wait_for()
        visit.page.unroute("**/graphql")
        visit.page.get_by_role("button", name="Try again").first.click()
        visit.page.get_by_text("There are no locations yet.").wait_for()
