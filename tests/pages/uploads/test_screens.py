"""The page for uploads on all screens: phone, dark mode, forced colours, reduced motion."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.pages.uploads import button, choose, heading, list_batches, prices

pytestmark = pytest.mark.slow

SCREENS: dict[str, Json] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    "forced": {"forced_colors": "active"},
    "still": {"reduced_motion": "reduce"},
}


@pytest.fixture(scope="module")
def server(demo_url: str) -> Iterator[Client]:
    """Yield a server of demo data."""
    with running_server(demo_url) as client:
        yield client


@pytest.mark.parametrize("screen", SCREENS)
def test_page_and_result_of_a_check_fit_the_screen(
    server: Client, open_visit: VisitOpener, axe: Path, screen: str
) -> None:
    visit = open_visit(str(server.http.base_url), "/uploads", **SCREENS[screen])
    visit.page.get_by_role("row", name="synthetic demo prices 2026 Q3").wait_for()
    assert not visit.overflows()
    assert not visit.find_violations(axe)
    visit.take_screenshot(f"uploads-{screen}")
    choose(visit, prices(1400, 1500, 1600, invalid=12), "prices of july.csv")
    heading(visit, "Result of the check").wait_for()
    visit.page.get_by_label("Leave them out").check()
    assert not visit.overflows()
    assert not visit.find_violations(axe)
    visit.take_screenshot(f"uploads-checked-{screen}")


def test_cards_of_a_phone_say_what_their_numbers_are(server: Client, open_visit: VisitOpener) -> None:
    visit = open_visit(str(server.http.base_url), "/uploads", viewport={"width": 390, "height": 844})
    visit.page.get_by_role("rowheader", name=re.compile("^Batch [0-9]+ applied$")).first.wait_for()
    choose(visit, prices(1400, invalid=1))
    expect(visit.page.get_by_role("rowheader", name="Item 2", exact=True)).to_be_visible()
    # In a table, the heading of the column says so.
    visit.page.set_viewport_size({"width": 1200, "height": 800})
    expect(visit.page.get_by_role("rowheader", name="2", exact=True)).to_be_visible()


def test_history_pages_and_filters(server: Client, open_visit: VisitOpener) -> None:
    visit = open_visit(str(server.http.base_url), "/uploads")
    for number in range(10):
        choose(visit, prices(1000 + number, day="2026-07-29"), f"file {number}.csv")
        button(visit, "Upload 1 item").click()
        visit.page.get_by_text("is stored and waits for a worker.").first.wait_for()
        visit.page.reload()
    pages = visit.page.get_by_role("navigation", name="Pages of the history")
    total = len(list_batches(server))
    pages.get_by_text(f"1–10 of {total}").wait_for()
    expect(button(visit, "Newer")).to_be_disabled()
    button(visit, "Older").click()
    pages.get_by_text(f"11–{total} of {total}").wait_for()
    expect(visit.page.get_by_role("row", name="synthetic demo prices")).to_have_count(total - 10)
    button(visit, "Newer").click()
    pages.get_by_text(f"1–10 of {total}").wait_for()
    visit.page.get_by_label("Status").select_option("applied")
    visit.page.get_by_role("row", name="synthetic demo prices").first.wait_for()
    expect(visit.page.get_by_role("row", name="file")).to_have_count(0)
    visit.page.get_by_label("Status").select_option("failed")
    visit.page.get_by_text("No batch has this status.").wait_for()


def test_history_without_a_batch_says_so(module_database_url: str, open_visit: VisitOpener, axe: Path) -> None:
    with running_server(module_database_url) as client, open_visit(str(client.http.base_url), "/uploads") as visit:
        visit.page.get_by_text("No batch yet.").wait_for()
        assert not visit.find_violations(axe)
        visit.take_screenshot("uploads-empty")
