"""Changes of the region tree on its page that meet other admins, outages and limits."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.support.batches.uploads import create_locations
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server
from tests.support.pages.visit import Visit

pytestmark = pytest.mark.slow

PLACE = "query ($key: String!) { location(key: $key) { name parent { key } } }"
MOVE = """mutation ($key: String!, $to: String) {
  moveLocation(key: $key, parentSlug: $to) { movedCount userErrors { code } }
}"""
ADD = """mutation ($slug: String!, $name: String!, $to: String) {
  upsertRegions(regions: [{ slug: $slug, name: $name, parentSlug: $to }]) { addedCount userErrors { code } }
}"""


@pytest.fixture
def server(database_url: str) -> Iterator[Client]:
    """Yield a server of a small tree whose callers are admins."""
    create_locations(database_url)
    with running_server(database_url) as client:
        yield client


@pytest.fixture
def visit(server: Client, open_visit: VisitOpener) -> Iterator[Visit]:
    """Yield the page with Shanghai, in China."""
    with open_visit(str(server.http.base_url), "/locations#CNSGH") as visit:
        visit.page.get_by_text("Lanes from here").wait_for()
        yield visit


def dialog(visit: Visit) -> Locator:
    """Return the open dialog."""
    return visit.page.get_by_role("dialog")


def rename(visit: Visit, name: str) -> None:
    """Give the location of the page another name."""
    visit.page.get_by_role("button", name="Rename…").click()
    dialog(visit).get_by_label("Name", exact=True).fill(name)
    dialog(visit).get_by_role("button", name="Save").click()


def test_rename_keeps_the_place_that_another_admin_has_chosen(server: Client, visit: Visit) -> None:
    assert server.ask(MOVE, key="CNSGH", to="europe")["moveLocation"] == {"movedCount": 1, "userErrors": []}
    rename(visit, "Yangshan")
    visit.page.get_by_text("Renamed to Yangshan.").wait_for()
    assert server.ask(PLACE, key="CNSGH")["location"] == {"name": "Yangshan", "parent": {"key": "europe"}}


def test_add_does_not_change_what_another_admin_has_added(server: Client, visit: Visit) -> None:
    visit.page.get_by_role("button", name="Add a region at the top…").click()
    added = server.ask(ADD, slug="asia", name="Asia", to="china")["upsertRegions"]
    assert added == {"addedCount": 1, "userErrors": []}
    dialog(visit).get_by_label("Slug").fill("asia")
    dialog(visit).get_by_label("Name", exact=True).fill("Far East")
    dialog(visit).get_by_role("button", name="Add", exact=True).click()
    expect(dialog(visit).get_by_role("alert").filter(has_text="Already taken by “Asia”.").first).to_be_visible()
    assert server.ask(PLACE, key="asia")["location"] == {"name": "Asia", "parent": {"key": "china"}}


def test_rename_of_a_location_that_is_gone_does_not_bring_it_back(visit: Visit) -> None:
    visit.page.route("**/graphql", answer_without_location)
    rename(visit, "Yangshan")
    expect(dialog(visit).get_by_role("alert")).to_have_text(
        "This location no longer exists. The tree is being loaded again."
    )


def answer_without_location(route: Route) -> None:
    """Answer queries for one location as if it did not exist."""
    data = route.request.post_data or ""
    assert "mutation" not in data
    if "query CurrentLocation" in data:
        route.fulfill(json={"data": {"location": None}})
    else:
        route.fallback()


def test_search_says_that_the_server_is_away_and_goes_on_afterwards(visit: Visit) -> None:
    visit.page.route("**/graphql", lambda route: route.abort())
    visit.page.get_by_label("Search by name, code or alias").fill("cnsgh")
    note = visit.page.get_by_role("alert")
    expect(note).to_contain_text("The server cannot be reached.")
    visit.page.unroute("**/graphql")
    expect(visit.page.locator(".matches").get_by_role("button")).to_have_count(1)
    expect(note).to_have_count(0)
    visit.expect_console("net::ERR_FAILED")


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (429, "RATE_LIMITED", "Too many requests. Try again in 17 s."),
        (503, "TREE_CHANGE_RUNNING", "It failed. Try again in 17 s."),
    ],
)
def test_refused_change_says_when_to_repeat_it(visit: Visit, status: int, code: str, text: str) -> None:
    error = {"errors": [{"message": "It failed.", "extensions": {"code": code}}]}
    headers = {"Retry-After": "17"}
    visit.page.route("**/graphql", lambda route: route.fulfill(status=status, json=error, headers=headers))
    rename(visit, "Yangshan")
    # A change is not repeated by the page.
    expect(dialog(visit).get_by_role("alert")).to_have_text(text)
    visit.page.unroute("**/graphql")
    dialog(visit).get_by_role("button", name="Save").click()
    visit.page.get_by_text("Renamed to Yangshan.").wait_for()
    visit.expect_console(str(status))


@pytest.mark.parametrize("status", [502, 504])
def test_change_whose_answer_a_proxy_has_lost_is_not_called_refused(visit: Visit, status: int) -> None:
    def lose_answer(route: Route) -> None:
        if "mutation" in (route.request.post_data or ""):
            route.fetch()
            route.fulfill(status=status, body="<h1>Bad Gateway</h1>")
        else:
            route.fallback()

    visit.page.route("**/graphql", lose_answer)
    rename(visit, "Yangshan")
    expect(dialog(visit).get_by_role("alert")).to_contain_text("the tree may or may not have changed")
    # The tree behind the dialog has been loaded again.
    expect(visit.page.get_by_role("heading", name="Yangshan", exact=True, include_hidden=True)).to_have_count(1)
    visit.expect_console(str(status))
