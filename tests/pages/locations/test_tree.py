"""The page for locations: the region tree, its search, and its changes by admins."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server
from tests.support.pages.visit import SCREENS, Visit
from tests.support.tokens import create_api_token

pytestmark = pytest.mark.slow

PARENT = "query ($key: String!) { location(key: $key) { name parent { key } } }"


@pytest.fixture(scope="module")
def server(demo_url: str) -> Iterator[Client]:
    """Yield a server of demo data whose callers are admins."""
    with running_server(demo_url) as client:
        yield client


@pytest.fixture
def visit(server: Client, open_visit: VisitOpener) -> Visit:
    """Return the open page."""
    visit = open_visit(str(server.http.base_url), "/locations")
    button(visit, "World").wait_for()
    return visit


def button(visit: Visit, name: str) -> Locator:
    """Return the first button whose label begins so."""
    return visit.page.get_by_role("button", name=name).first


def dialog(visit: Visit) -> Locator:
    """Return the open dialog."""
    return visit.page.get_by_role("dialog")


def find(visit: Visit, text: str, name: str) -> None:
    """Search for a text and select the match of this name."""
    visit.page.get_by_label("Search by name, code or alias").fill(text)
    visit.page.locator(".matches").get_by_role("button", name=name).first.click()
    visit.page.get_by_role("heading", name=name, exact=True).wait_for()


@pytest.mark.parametrize("screen", SCREENS)
def test_tree_and_details_fit_the_screen(server: Client, open_visit: VisitOpener, axe: Path, screen: str) -> None:
    visit = open_visit(str(server.http.base_url), "/locations", **SCREENS[screen])
    button(visit, "World 2").wait_for()
    find(visit, "rotter", "Rotterdam")
    visit.page.get_by_text("World › Europe › Northern Europe › North Europe Main", exact=True).wait_for()
    visit.page.get_by_text("Rotterdam → Felixstowe").wait_for()
    assert not visit.overflows()
    assert not visit.find_violations(axe)
    visit.take_screenshot(f"locations-{screen}")
    button(visit, "Move…").click()
    visit.page.get_by_label("New parent region").select_option("africa")
    assert not visit.find_violations(axe)
    visit.take_screenshot(f"locations-move-{screen}")


def test_search_knows_keys_and_says_where_a_match_lies(visit: Visit) -> None:
    search = visit.page.get_by_label("Search by name, code or alias")
    search.fill("cnsgh")
    visit.page.get_by_text("1 match", exact=True).wait_for()
    match = visit.page.locator(".matches").get_by_role("button")
    expect(match).to_have_text("Shanghai CNSGH, World › Asia › East Asia › China Main › China East Main")
    search.fill("no such place")
    visit.page.get_by_text("No port or region matches.").wait_for()


def test_address_leads_to_a_location(server: Client, open_visit: VisitOpener) -> None:
    visit = open_visit(str(server.http.base_url), "/locations#NLRTM")
    visit.page.get_by_role("heading", name="Rotterdam", exact=True).wait_for()
    # The regions above it are open.
    expect(button(visit, "Rotterdam")).to_be_visible()


def test_region_is_added_renamed_and_moved(server: Client, visit: Visit) -> None:
    find(visit, "oceania", "Oceania")
    button(visit, "Add port or region…").click()
    dialog(visit).get_by_label("Kind").select_option("region")
    dialog(visit).get_by_label("Slug").fill("test_islands")
    dialog(visit).get_by_label("Name").fill("Test Islands")
    visit.page.get_by_role("button", name="Add", exact=True).click()
    visit.page.get_by_text("Test Islands was added.").wait_for()
    assert server.ask(PARENT, key="test_islands")["location"] == {"name": "Test Islands", "parent": {"key": "oceania"}}
    button(visit, "Rename…").click()
    dialog(visit).get_by_label("Name").fill("New Islands")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_text("Renamed to New Islands.").wait_for()
    # The tree is loaded again after the message.
    visit.page.get_by_role("heading", name="New Islands").wait_for()
    button(visit, "Move…").click()
    visit.page.get_by_label("New parent region").select_option("asia")
    visit.page.get_by_role("button", name="Move", exact=True).click()
    visit.page.get_by_text("New Islands is now in Asia. All averages are up to date.").wait_for()
    # The region that it has joined was closed.
    visit.page.locator(".tree").get_by_role("button", name="New Islands").wait_for()
    assert server.ask(PARENT, key="test_islands")["location"] == {"name": "New Islands", "parent": {"key": "asia"}}


def test_move_says_before_what_it_changes(server: Client, visit: Visit) -> None:
    find(visit, "deham", "Hamburg")
    visit.page.get_by_text("Lanes from here: 2").wait_for()
    button(visit, "Move…").click()
    expect(dialog(visit).get_by_role("button", name="Move", exact=True)).to_be_disabled()
    visit.page.get_by_label("New parent region").select_option("baltic")
    dialog(visit).get_by_text("1 port and").wait_for()
    expect(
        dialog(visit).get_by_text("averages of these regions would change: North Europe Main, Baltic.")
    ).to_be_visible()
    visit.page.keyboard.press("Escape")
    assert server.ask(PARENT, key="DEHAM")["location"]["parent"] == {"key": "north_europe_main"}


def test_existing_key_is_refused_before_it_is_sent(visit: Visit) -> None:
    find(visit, "oceania", "Oceania")
    button(visit, "Add port or region…").click()
    dialog(visit).get_by_label("Code").fill("nlrtm")
    visit.page.get_by_text("Already taken by “Rotterdam”.").wait_for()
    dialog(visit).get_by_label("Code").fill("not a code")
    dialog(visit).get_by_label("Name").fill("Nowhere")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_role("alert").get_by_text("INVALID_CODE").wait_for()


def test_keyboard_alone_opens_a_region_and_selects_a_port(visit: Visit) -> None:
    for region in ("Europe", "Northern Europe", "Baltic"):
        visit.tab_to(f"Show what is in {region}")
        visit.page.keyboard.press("Enter")
    visit.tab_to("Gdansk")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_role("heading", name="Gdansk", exact=True).wait_for()


def test_reader_sees_the_tree_without_its_changes(demo_url: str, open_visit: VisitOpener) -> None:
    token = create_api_token(demo_url, "read")
    with (
        running_server(demo_url, writes_are_open=False, anonymous_reads=False) as client,
        open_visit(str(client.http.base_url), "/locations") as visit,
    ):
        visit.page.get_by_label("Token", exact=True).fill(token)
        visit.page.keyboard.press("Enter")
        find(visit, "rotter", "Rotterdam")
        expect(visit.page.get_by_role("button", name="…")).to_have_count(0)
        visit.expect_console("401")


def test_empty_tree_says_what_to_do(client: Client, open_visit: VisitOpener, axe: Path) -> None:
    visit = open_visit(str(client.http.base_url), "/locations")
    visit.page.get_by_text("Add a region to begin with.").wait_for()
    assert not visit.find_violations(axe)
    visit.take_screenshot("locations-empty")
