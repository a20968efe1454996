"""Outages under the page for uploads: nothing is lost or sent twice, and the user is told."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.batches.uploads import create_locations
from tests.support.faults.database_proxy import running_database_proxy
from tests.support.faults.proxy import Proxy, running_proxy
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.pages.uploads import button, choose, heading, list_batches, prices
from tests.support.pages.visit import Visit
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.slow

LOST = "The server cannot be reached."


@contextmanager
def open_behind_proxy(database_url: str, open_visit: VisitOpener) -> Iterator[tuple[Client, Proxy, Visit]]:
    """Serve a small tree and open the page through a proxy; yield a client of the server, too."""
    create_locations(database_url)
    with (
        running_server(database_url) as client,
        running_proxy(client.http.base_url.port or 0) as proxy,
        open_visit(f"http://127.0.0.1:{proxy.port}", "/uploads") as visit,
    ):
        yield client, proxy, visit


def test_upload_survives_a_connection_that_is_lost_while_sending(
    database_url: str, open_visit: VisitOpener, axe: Path
) -> None:
    with open_behind_proxy(database_url, open_visit) as (client, proxy, visit), running_worker(database_url):
        choose(visit, prices(*range(40_000)))
        button(visit, "Upload 40,000 items").wait_for()
        server, proxy.stall_after = proxy.server, 200_000
        button(visit, "Upload 40,000 items").click()
        assert proxy.stalled.wait(DEADLINE_SECONDS)
        # Otherwise Chromium would send the request again by itself.
        proxy.server = None
        proxy.cut()
        visit.page.get_by_text(LOST).first.wait_for()
        # The message is away for a moment at each attempt.
        expect(visit.page.get_by_text("Nothing is lost")).to_be_visible()
        assert not visit.find_violations(axe)
        visit.take_screenshot("uploads-connection-lost")
        proxy.server, proxy.stall_after = server, None
        heading(visit, "is applied").wait_for()
        (batch,) = list_batches(client)
        assert batch["acceptedCount"] == 40_000
        visit.expect_console("net::ERR_")


def test_answer_that_is_lost_does_not_upload_twice(database_url: str, open_visit: VisitOpener) -> None:
    with open_behind_proxy(database_url, open_visit) as (client, _, visit):
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").wait_for()
        # The request arrives, its answer does not; then no request arrives.
        visit.page.route("**/graphql", lambda route: route.abort())
        visit.page.route("**/graphql", lambda route: (route.fetch(), route.abort()), times=1)
        button(visit, "Upload 1 item").click()
        visit.page.get_by_text(LOST).first.wait_for()
        # After some failures the next attempt of the page itself is far off, and the button is there for the last click.
        far_off = visit.page.get_by_text(re.compile(r"Next attempt in (2\d|30) s\."))
        while not far_off.is_visible():
            button(visit, "Try now").click()
        visit.page.unroute("**/graphql")
        button(visit, "Try now").click()
        visit.page.get_by_text("is stored and waits for a worker.").first.wait_for()
        assert len(list_batches(client)) == 1
    visit.expect_console("net::ERR_FAILED")


def has_stream(visit: Visit) -> bool:
    """Return whether the page has received the beginning of a stream of events."""
    return any(response.headers.get("content-type", "").startswith("text/event-stream") for response in visit.responses)


def test_progress_is_followed_again_after_an_interruption(database_url: str, open_visit: VisitOpener) -> None:
    with open_behind_proxy(database_url, open_visit) as (_, proxy, visit):
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").click()
        visit.page.get_by_text("is stored and waits for a worker.").first.wait_for()
        visit.wait_until(lambda: has_stream(visit), "the progress is not followed")
        # Otherwise the page is back before anyone can read its message.
        server, proxy.server = proxy.server, None
        proxy.cut()
        visit.page.get_by_text(LOST).first.wait_for()
        proxy.server = server
        with running_worker(database_url):
            heading(visit, "is applied").wait_for()
    visit.expect_console("net::ERR_INCOMPLETE_CHUNKED_ENCODING")
    # Attempts during the outage, if there were any.
    visit.allow_console("net::ERR_")


def test_sending_is_stopped_without_a_trace(database_url: str, open_visit: VisitOpener) -> None:
    with open_behind_proxy(database_url, open_visit) as (client, proxy, visit):
        choose(visit, prices(*range(400_000)))
        upload = button(visit, "Upload 400,000 items")
        upload.wait_for()
        proxy.is_stuck = True
        upload.click()
        progress = visit.page.get_by_role("progressbar", name="Sending the file…")
        visit.wait_until(lambda: 0 < float(progress.get_attribute("value") or 0) < 1, "no progress is shown")
        button(visit, "Stop sending").click()
        proxy.is_stuck = False
        visit.page.get_by_text("Sending was stopped. Nothing was uploaded.").first.wait_for()
        assert list_batches(client) == []


def test_sending_is_stopped_after_the_server_has_the_file(database_url: str, open_visit: VisitOpener) -> None:
    with open_behind_proxy(database_url, open_visit) as (client, proxy, visit):
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").wait_for()
        proxy.is_stuck = True
        button(visit, "Upload 1 item").click()
        visit.page.get_by_role("progressbar", name="The server is storing the file…").wait_for()
        button(visit, "Stop sending").click()
        proxy.is_stuck = False
        # The request arrives after all, before or after the page asks for its batch.
        stored = visit.page.get_by_text("is stored and waits for a worker.")
        stored.or_(visit.page.get_by_text("If the server stores it")).first.wait_for()
        assert len(list_batches(client)) <= 1


def test_outage_of_the_database_is_waited_for(database_url: str, open_visit: VisitOpener, axe: Path) -> None:
    create_locations(database_url)
    with (
        running_database_proxy(database_url) as (proxy, proxied_url),
        running_server(proxied_url) as client,
        running_worker(database_url),
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").wait_for()
        server, proxy.server = proxy.server, None
        proxy.cut()
        button(visit, "Upload 1 item").click()
        visit.page.get_by_text("The database of the server is unavailable.").first.wait_for()
        assert not visit.find_violations(axe)
        visit.take_screenshot("uploads-database-away")
        proxy.server = server
        heading(visit, "is applied").wait_for()
        assert len(list_batches(client)) == 1
        visit.expect_console("503")
