"""Tokens that end while the page for uploads is in use."""

import pytest
from playwright.sync_api import Route, expect

from tests.support.batches.uploads import create_locations
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import running_server
from tests.support.pages.uploads import button, choose, heading, list_batches, prices
from tests.support.tokens import create_api_token

pytestmark = pytest.mark.slow

REFUSAL = {"errors": [{"message": "Invalid token.", "extensions": {"code": "UNAUTHENTICATED"}}]}


def test_token_that_ends_after_the_upload_does_not_deny_the_upload(database_url: str, open_visit: VisitOpener) -> None:
    create_locations(database_url)
    token = create_api_token(database_url, "upload")

    def refuse_progress(route: Route) -> None:
        if "subscription BatchProgress" in (route.request.post_data or ""):
            route.fulfill(status=401, json=REFUSAL)
        else:
            route.fallback()

    with (
        running_server(database_url, writes_are_open=False) as client,
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        button(visit, "Enter a token…").click()
        dialog = visit.page.get_by_role("dialog")
        dialog.get_by_label("Token", exact=True).fill(token)
        visit.page.keyboard.press("Enter")
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").wait_for()
        visit.page.route("**/graphql", refuse_progress)
        button(visit, "Upload 1 item").click()
        dialog.get_by_text("The server refused the token.").wait_for()
        visit.page.keyboard.press("Escape")
        visit.page.get_by_text("Batch 1 is stored and will be applied, but its progress cannot be shown").wait_for()
        expect(visit.page.get_by_text("The file was not uploaded")).to_have_count(0)
        visit.page.unroute("**/graphql")
        visit.page.get_by_label("Uploads").get_by_role("button", name="Enter a token…").click()
        dialog.get_by_label("Token", exact=True).fill(token)
        visit.page.keyboard.press("Enter")
        visit.page.get_by_text("Batch 1 is stored and waits for a worker.").first.wait_for()
        client.http.headers["Authorization"] = f"Bearer {token}"
        assert len(list_batches(client)) == 1
        visit.expect_console("401")


def test_history_that_needs_another_token_asks_for_it_once(database_url: str, open_visit: VisitOpener) -> None:
    create_locations(database_url)
    with running_server(database_url) as client, open_visit(str(client.http.base_url), "/uploads") as visit:
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").click()
        # The batch waits for a worker, so the page asks for it again and again.
        visit.page.get_by_role("row", name="prices.csv").get_by_text("waiting").wait_for()
        assert len(list_batches(client)) == 1
        refused = []

        def refuse(route: Route) -> None:
            refused.append(route)
            route.fulfill(status=401, json=REFUSAL)

        visit.page.route("**/graphql", refuse)
        dialog = visit.page.get_by_role("dialog")
        dialog.get_by_label("Token", exact=True).wait_for()
        visit.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        # Whoever closes the dialog reads on; the note has a button for later.
        visit.page.clock.install()
        visit.page.clock.fast_forward(60_000)
        expect(dialog).to_be_hidden()
        expect(visit.page.locator("main").get_by_role("button", name="Enter a token").first).to_be_visible()
        visit.page.unroute("**/graphql")
        visit.expect_console("401")


@pytest.mark.parametrize("is_replaced", [False, True])
def test_wrong_token_leaves_a_note_after_its_dialog(
    database_url: str, open_visit: VisitOpener, *, is_replaced: bool
) -> None:
    create_locations(database_url)
    token = create_api_token(database_url, "upload", name="right")
    with (
        running_server(database_url, writes_are_open=False) as client,
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        dialog = visit.page.get_by_role("dialog")
        button(visit, "Enter a token…").click()
        if is_replaced:
            dialog.get_by_label("Token", exact=True).fill(token)
            visit.page.keyboard.press("Enter")
            heading(visit, "History").wait_for()
            button(visit, "Token: set").click()
        dialog.get_by_label("Token", exact=True).fill("rgt_wrong")
        visit.page.keyboard.press("Enter")
        dialog.get_by_text("The server refused the token.").wait_for()
        visit.page.keyboard.press("Escape")
        expect(visit.page.locator("main").get_by_text("The server refused the token.")).to_be_visible()
        # What an earlier caller was allowed says nothing about this token.
        expect(visit.page.get_by_text("allows reading prices")).to_have_count(0)
        visit.expect_console("401")
