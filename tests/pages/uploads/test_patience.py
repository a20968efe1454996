"""Connections without an answer, a busy server and a full disk under the page for uploads."""

from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import expect

from tests.support.batches.uploads import create_locations
from tests.support.databases.disk_full import raise_disk_full
from tests.support.faults.proxy import running_proxy
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import running_server, running_worker
from tests.support.pages.uploads import button, choose, heading, list_batches, prices

pytestmark = pytest.mark.slow

LOST = "The server cannot be reached."
PADDING = "\n" * 12_000_000
"""Empty lines that fill all buffers between the browser and a server that does not read."""


@pytest.mark.parametrize(
    ("text", "label", "seconds"),
    [(prices(1000) + PADDING, "Sending the file…", 31), (prices(1000), "The server is storing the file…", 121)],
)
def test_upload_without_progress_or_answer_is_sent_again(
    database_url: str, open_visit: VisitOpener, text: str, label: str, seconds: int
) -> None:
    create_locations(database_url)
    with (
        running_server(database_url) as client,
        running_proxy(client.http.base_url.port or 0) as proxy,
        open_visit(f"http://127.0.0.1:{proxy.port}", "/uploads") as visit,
    ):
        choose(visit, text)
        button(visit, "Upload 1 item").wait_for()
        visit.page.clock.install()
        proxy.is_stuck = True
        button(visit, "Upload 1 item").click()
        visit.page.get_by_role("progressbar", name=label).wait_for()
        # The last progress has been reported before the time passes.
        expect(visit.page.get_by_text(LOST)).to_have_count(0)
        visit.page.clock.fast_forward((seconds - 2) * 1_000)
        visit.page.clock.fast_forward(3_000)
        visit.page.get_by_text(LOST).first.wait_for()
        proxy.is_stuck = False
        button(visit, "Try now").click()
        visit.page.get_by_text("is stored and waits for a worker.").first.wait_for()
        assert len(list_batches(client)) == 1
    # The page itself gives the requests up, and Chromium reports some of them.
    visit.allow_console("net::ERR_")


def test_check_waits_for_its_turn_while_the_server_is_busy(
    database_url: str, open_visit: VisitOpener, axe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_locations(database_url)
    with (
        running_server(database_url) as client,
        psycopg.connect(database_url) as holder,
        open_visit(str(client.http.base_url), "/uploads") as first,
        open_visit(str(client.http.base_url), "/uploads") as second,
    ):
        holder.execute("LOCK TABLE price_totals IN ACCESS EXCLUSIVE MODE")
        monkeypatch.setattr("server.ingest_adapter.MAX_QUEUE_SECONDS", 0.05)
        choose(first, prices(1000))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        first.wait_until(lambda: holder.execute(waiting).fetchone() != (0,), "the check does not wait for the lock")
        choose(second, prices(1100))
        second.page.get_by_text("The server is checking another file. It checks one at a time.").first.wait_for()
        second.page.get_by_text("Next attempt in").wait_for()
        assert not second.find_violations(axe)
        second.take_screenshot("uploads-busy")
        monkeypatch.undo()
        holder.rollback()
        for visit in (first, second):
            button(visit, "Upload 1 item").wait_for()


def test_upload_to_a_full_disk_says_so_and_can_be_repeated(
    database_url: str, open_visit: VisitOpener, axe: Path
) -> None:
    create_locations(database_url)
    with (
        running_server(database_url) as client,
        running_worker(database_url),
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").wait_for()
        with raise_disk_full(database_url, "batch_payloads"):
            button(visit, "Upload 1 item").click()
            visit.page.get_by_text("The disk of the server has no room for the file.").wait_for()
            assert not visit.find_violations(axe)
            visit.take_screenshot("uploads-no-room")
        button(visit, "Try again").click()
        heading(visit, "is applied").wait_for()
        assert len(list_batches(client)) == 1
        visit.expect_console("503")
