"""The page for operators: figures, what needs attention, and outages."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.support.batches.price_files import CSV, send
from tests.support.batches.uploads import create_locations
from tests.support.faults.database_proxy import running_database_proxy
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.pages.visit import SCREENS, Visit
from tests.support.tokens import create_api_token

pytestmark = pytest.mark.slow


def fact(visit: Visit, name: str) -> Locator:
    """Return the figure of this name."""
    return visit.page.locator(".facts > div").filter(has_text=name).locator("dd")


@pytest.mark.parametrize("screen", SCREENS)
def test_status_shows_queue_workers_and_data(demo_url: str, open_visit: VisitOpener, axe: Path, screen: str) -> None:
    with (
        running_server(demo_url) as client,
        running_worker(demo_url),
        open_visit(str(client.http.base_url), "/status", **SCREENS[screen]) as visit,
    ):
        # The page asks again by itself until the worker is there.
        expect(fact(visit, "Workers connected")).to_have_text("1")
        expect(fact(visit, "Batches waiting")).to_have_text("0")
        expect(fact(visit, "Size of the database")).to_have_text(re.compile(r" MB$"))
        assert not visit.overflows()
        assert not visit.find_violations(axe)
        visit.take_screenshot(f"status-{screen}")


def test_status_says_that_batches_wait_without_a_worker(
    database_url: str, client: Client, open_visit: VisitOpener, axe: Path
) -> None:
    create_locations(database_url)
    send(client, CSV, waitMs=0)
    visit = open_visit(str(client.http.base_url), "/status")
    visit.page.get_by_text("Batches are waiting, but no worker is connected.").wait_for()
    expect(fact(visit, "Batches waiting")).to_have_text("1")
    expect(visit.page.get_by_text("There are no exchange rates")).to_be_visible()
    assert not visit.find_violations(axe)
    visit.take_screenshot("status-no-worker")


def test_status_is_for_admins(database_url: str, open_visit: VisitOpener, axe: Path) -> None:
    reader, admin = (create_api_token(database_url, scope, name=scope) for scope in ("read", "admin"))
    with (
        running_server(database_url, writes_are_open=False) as client,
        open_visit(str(client.http.base_url), "/status") as visit,
    ):
        for token in (reader, admin):
            dialog = visit.page.get_by_role("dialog")
            if token == reader:
                # Other pages of this server work without one.
                dialog.get_by_text("This needs a token.").wait_for()
            dialog.get_by_label("Token", exact=True).fill(token)
            visit.page.keyboard.press("Enter")
            if token == reader:
                visit.page.get_by_text("The status is for administrators.").wait_for()
                assert not visit.find_violations(axe)
                visit.page.get_by_role("button", name="Enter a token…").click()
        fact(visit, "Version of the server").wait_for()
        visit.expect_console("401")
        visit.expect_console("403")


def test_status_tells_of_an_outage_and_recovers(database_url: str, open_visit: VisitOpener, axe: Path) -> None:
    with (
        running_database_proxy(database_url) as (proxy, proxied_url),
        running_server(proxied_url) as client,
        open_visit(str(client.http.base_url), "/status") as visit,
    ):
        fact(visit, "Version of the server").wait_for()
        server, proxy.server = proxy.server, None
        proxy.cut()
        visit.page.get_by_text("The database cannot be reached").wait_for()
        assert not visit.find_violations(axe)
        visit.take_screenshot("status-database-away")
        proxy.server = server
        visit.page.get_by_text("The database cannot be reached").wait_for(state="detached")
        visit.expect_console("503")


def test_status_is_reached_and_read_by_the_keyboard_alone(database_url: str, open_visit: VisitOpener) -> None:
    admin = create_api_token(database_url, "admin", name="admin")
    with (
        running_server(database_url, writes_are_open=False) as client,
        open_visit(str(client.http.base_url), "/") as visit,
    ):
        visit.page.get_by_text("There are no prices yet").wait_for()
        keyboard = visit.page.keyboard
        press_until(visit, "Tab", "Status")
        keyboard.press("Enter")
        # The page asks for the token, and the focus is in its field.
        visit.page.get_by_role("dialog").wait_for()
        keyboard.type(admin)
        keyboard.press("Enter")
        fact(visit, "Version of the server").wait_for()
        visit.page.get_by_role("dialog").wait_for(state="hidden")
        press_until(visit, "Shift+Tab", "Token: set")
        keyboard.press("Enter")
        press_until(visit, "Tab", "Forget token")
        keyboard.press("Enter")
        visit.page.get_by_role("button", name="Enter a token").wait_for()
        visit.expect_console("401")


def press_until(visit: Visit, key: str, text: str) -> None:
    """Press a key until the element with this text has the focus, as everybody can see."""
    for _ in range(20):
        visit.page.keyboard.press(key)
        focused = visit.page.locator(":focus-visible")
        if focused.count() == 1 and focused.inner_text() == text:
            return
    pytest.fail(f"{text} is not reached")
