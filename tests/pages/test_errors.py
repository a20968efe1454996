"""Errors on the pages: which ones are repeated, and what the user is offered."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.support.batches.uploads import create_locations
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server
from tests.support.pages.visit import Visit

pytestmark = pytest.mark.slow

LANE = "/?lane=CNSGH~NLRTM&period=all"
RETRY = "Try again"
RECORD_POPUPS = """() => {
  window.popups = [];
  new MutationObserver(() => document.querySelectorAll('.popup').forEach((popup) => popups.push(popup.textContent)))
    .observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""Records each text that stands in place of the options, even if nobody could read it."""


@pytest.fixture(scope="module")
def server(demo_url: str) -> Iterator[Client]:
    """Yield a server of demo data."""
    with running_server(demo_url) as client:
        yield client


def open_lane(open_visit: VisitOpener, client: Client, path: str = LANE) -> Visit:
    """Open a lane and wait for its chart."""
    visit = open_visit(str(client.http.base_url), path)
    visit.page.locator(".chart canvas").first.wait_for()
    return visit


def fail_series(visit: Visit, status: int, code: str | None, times: int | None = None, **headers: str) -> None:
    """Answer the next queries for series with an error; without a code, as a proxy does."""
    body = "<h1>Bad Gateway</h1>"
    if code is not None:
        error: dict[str, Any] = {"message": "It failed.", "extensions": {"code": code}}
        body = json.dumps({"data": {"priceSeries": None}, "errors": [error]})

    def answer(route: Route) -> None:
        if "query Series" in (route.request.post_data or ""):
            route.fulfill(status=status, body=body, headers=headers)
        else:
            route.fallback()

    visit.page.route("**/graphql", answer, times=times)


@pytest.mark.parametrize("code", ["DATE_RANGE_TOO_LONG", "QUERY_TOO_COSTLY", "RATE_MISSING", "INVALID_DATE_RANGE"])
def test_error_that_repetition_cannot_cure_offers_no_repetition(
    server: Client, open_visit: VisitOpener, code: str
) -> None:
    visit = open_lane(open_visit, server)
    fail_series(visit, 200, code)
    visit.page.get_by_label("Average per").select_option("Week")
    note = visit.page.get_by_role("alert")
    expect(note).to_have_text("It failed.")
    expect(note.get_by_role("button")).to_have_count(0)


def test_period_that_is_too_long_is_explained(demo_url: str, open_visit: VisitOpener) -> None:
    with (
        running_server(demo_url, max_days=31) as client,
        open_visit(str(client.http.base_url), "/?lane=CNSGH~NLRTM&from=2026-01-01&to=2026-06-30") as visit,
    ):
        note = visit.page.get_by_role("alert")
        expect(note).to_contain_text("31")
        expect(note.get_by_role("button")).to_have_count(0)
        # What helps is a shorter period.
        visit.page.get_by_role("textbox", name="To").fill("2026-01-31")
        visit.page.locator(".chart canvas").first.wait_for()
        expect(note).to_have_count(0)


@pytest.mark.parametrize("code", ["INTERNAL_ERROR", "STATEMENT_TIMEOUT", "EXECUTION_TIMEOUT"])
def test_failure_of_the_server_is_repeated_by_the_user(server: Client, open_visit: VisitOpener, code: str) -> None:
    visit = open_lane(open_visit, server)
    fail_series(visit, 200, code, times=1)
    visit.page.get_by_label("Average per").select_option("Week")
    note = visit.page.get_by_role("alert")
    expect(note).to_contain_text("It failed.")
    note.get_by_role("button", name=RETRY).click()
    expect(note).to_have_count(0)


@pytest.mark.parametrize("code", ["DATABASE_UNAVAILABLE", "SERVER_BUSY", "TREE_CHANGE_RUNNING"])
def test_failure_in_part_that_passes_is_repeated_by_the_page(
    server: Client, open_visit: VisitOpener, code: str
) -> None:
    visit = open_lane(open_visit, server)
    fail_series(visit, 200, code)
    visit.page.get_by_label("Average per").select_option("Week")
    note = visit.page.get_by_role("alert")
    expect(note).to_contain_text("It failed. This page tries again in")
    visit.page.unroute("**/graphql")
    expect(note).to_have_count(0)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_error_of_a_proxy_says_that_the_server_is_away(server: Client, open_visit: VisitOpener, status: int) -> None:
    visit = open_lane(open_visit, server)
    fail_series(visit, status, None)
    visit.page.get_by_label("Average per").select_option("Week")
    note = visit.page.get_by_role("alert")
    expect(note).to_contain_text("The server cannot be reached.")
    visit.page.unroute("**/graphql")
    expect(note).to_have_count(0)
    visit.expect_console(str(status))


def test_download_that_is_limited_says_when_to_repeat_it(server: Client, open_visit: VisitOpener) -> None:
    visit = open_lane(open_visit, server)
    error = {"errors": [{"message": "Too many.", "extensions": {"code": "RATE_LIMITED"}}]}
    visit.page.route("**/series*", lambda route: route.fulfill(status=429, json=error, headers={"Retry-After": "17"}))
    visit.page.get_by_text("Download", exact=True).click()
    visit.page.get_by_role("button", name="CSV").click()
    # Nothing repeats a download by itself.
    expect(visit.page.get_by_role("alert")).to_have_text("Too many requests. Try again in 17 s.")
    # Other figures, so the limit is over.
    visit.page.get_by_label("Average per").select_option("Week")
    expect(visit.page.get_by_role("alert")).to_have_count(0)
    visit.expect_console("429")


def test_search_is_not_called_unsuccessful_before_its_answer(server: Client, open_visit: VisitOpener) -> None:
    visit = open_lane(open_visit, server)
    visit.page.evaluate(RECORD_POPUPS)
    visit.page.get_by_role("combobox", name="Origin").fill("rot")
    visit.page.locator(".combobox [role=option]").first.wait_for()
    visit.expect_value(lambda: [text for text in visit.page.evaluate("popups") if "matches" in text], [])
    visit.page.get_by_role("combobox", name="Origin").fill("no such place")
    visit.page.get_by_text("No port or region matches “no such place”.").wait_for()


@pytest.mark.parametrize("path", ["/", "/uploads", "/locations", "/status"])
def test_refused_token_is_named_on_each_page(database_url: str, open_visit: VisitOpener, path: str) -> None:
    create_locations(database_url)
    with running_server(database_url) as client, open_visit(str(client.http.base_url), path) as visit:
        visit.page.get_by_role("heading", level=1).wait_for()
        visit.page.wait_for_load_state("networkidle")
        error = {"errors": [{"message": "Invalid token.", "extensions": {"code": "UNAUTHENTICATED"}}]}
        visit.page.route("**/graphql", lambda route: route.fulfill(status=401, json=error))
        visit.page.reload()
        dialog = visit.page.get_by_role("dialog")
        dialog.get_by_label("Token", exact=True).fill("rgt_wrong")
        visit.page.keyboard.press("Enter")
        dialog.get_by_text("The server refused the token.").wait_for()
        visit.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(visit.page.locator("main").get_by_text("The server refused the token.").first).to_be_visible()
        visit.page.locator("main").get_by_role("button", name="Enter a token").first.click()
        expect(dialog).to_be_visible()
        visit.expect_console("401")
