"""Pages of a server that answers registered documents only, which include their own."""

import re
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.pages.uploads import button, choose, heading, prices
from tests.support.pages.visit import Visit

pytestmark = pytest.mark.slow

LANE = "/?lane=CNSGH~NLRTM&period=all"


def refuses(client: Client, query: str) -> bool:
    """Return whether the server refuses a query because nobody registered it."""
    code: str = client.fail(query)["extensions"]["code"]
    return code == "DOCUMENT_REQUIRED"


def test_pages_work_where_only_registered_documents_are_answered(demo_url: str, open_visit: VisitOpener) -> None:
    with running_server(demo_url, persisted_only=True) as client, running_worker(demo_url), ExitStack() as visits:

        def visit(path: str) -> Visit:
            return visits.enter_context(open_visit(str(client.http.base_url), path))

        assert refuses(client, "{ viewer { name } }")
        lane = visit(LANE)
        lane.page.get_by_text("lowest to highest price").wait_for()
        lane.wait_for_subscription()
        lane.page.get_by_role("combobox", name="Origin").fill("rot")
        lane.page.locator(".combobox [role=option]").first.wait_for()
        lane.page.get_by_role("button", name="Copy query").click()
        lane.page.get_by_text("Ask its administrator to register this query.").wait_for()
        uploads = visit("/uploads")
        choose(uploads, prices(1400, 1500, 1600, day="2026-07-25"))
        button(uploads, "Upload 3 items").click()
        heading(uploads, "is applied").wait_for()
        expect(lane.page.locator(".live")).to_contain_text("Prices changed: updated at")
        locations = visit("/locations#CNSGH")
        locations.page.get_by_text("Lanes from here: ").wait_for()
        locations.page.get_by_role("button", name="Rename…").click()
        locations.page.get_by_label("Name", exact=True).fill("Shanghai (Yangshan)")
        locations.page.get_by_role("button", name="Save").click()
        locations.page.get_by_text("Renamed to Shanghai (Yangshan).").wait_for()
        status = visit("/status")
        status.page.get_by_text("Version of the server").wait_for()


def test_graphiql_explains_why_it_is_missing(database_url: str, open_visit: VisitOpener) -> None:
    with (
        running_server(database_url, persisted_only=True) as client,
        open_visit(str(client.http.base_url), "/graphql") as visit,
    ):
        expect(visit.page).to_have_title(re.compile("GraphiQL"))
        visit.page.get_by_text("This server answers registered documents only").wait_for()
        visit.page.get_by_role("link", name="The other pages").click()
        visit.page.get_by_role("navigation").wait_for()
        expect(visit.page.get_by_role("link", name="GraphQL")).to_have_count(0)
        # The browser asks for an icon where a page names none.
        visit.problems = [problem for problem in visit.problems if "404" not in problem]


def test_page_of_an_older_server_asks_to_be_reloaded(database_url: str, open_visit: VisitOpener) -> None:
    with (
        running_server(database_url, persisted_only=True) as client,
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        heading(visit, "History").wait_for()
        visit.page.route("**/graphql", lambda route: route.continue_(post_data='{"query": "{ old }"}'))
        visit.page.get_by_label("Status").select_option("applied")
        visit.page.get_by_text("This page is older than the server").wait_for()
        visit.expect_console("400")
