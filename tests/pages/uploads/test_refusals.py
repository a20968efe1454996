"""Refusals on the page for uploads: tokens, limits, files that cannot be read."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.batches.uploads import create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import running_server, running_worker
from tests.support.http.rate_limits import exhaust_window
from tests.support.pages.uploads import button, choose, heading, prices
from tests.support.pages.visit import Visit
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

UNAUTHORIZED = 401


@pytest.fixture(scope="module")
def small_world(module_database_url: str) -> str:
    """Return the URL of a database with two ports."""
    create_locations(module_database_url)
    return module_database_url


@pytest.fixture
def visit(small_world: str, open_visit: VisitOpener) -> Iterator[Visit]:
    """Yield the page of a server that accepts files of 100 kB."""
    with (
        running_server(small_world, max_upload_bytes=100_000) as client,
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        yield visit


def enter_token(visit: Visit, token: str) -> None:
    """Enter a token into the open dialog."""
    visit.page.get_by_label("Token", exact=True).fill(token)
    visit.page.keyboard.press("Enter")


def test_upload_asks_for_a_token_with_the_scope(small_world: str, open_visit: VisitOpener, axe: Path) -> None:
    reader = create_api_token(small_world, "read", name="reader")
    uploader = create_api_token(small_world, "upload", name="uploader")
    with (
        running_server(small_world, writes_are_open=False) as client,
        running_worker(small_world),
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        heading(visit, "Uploading needs a token").wait_for()
        assert not visit.find_violations(axe)
        visit.take_screenshot("uploads-no-token")
        button(visit, "Enter a token…").click()
        enter_token(visit, reader)
        visit.page.get_by_text("The token “reader” allows reading prices, but not uploading them.").wait_for()
        button(visit, "Use another token…").click()
        enter_token(visit, uploader)
        choose(visit, prices(1000, 1100, 1200, invalid=1))
        visit.page.get_by_label("Leave them out").check()
        button(visit, "Upload 3 of 4").click()
        heading(visit, "is applied").wait_for()
        # A link could not send the token.
        with visit.page.expect_download() as download:
            visit.page.get_by_role("button", name="Problems of batch").click()
        assert "UNKNOWN_PORT" in download.value.path().read_text()
        button(visit, "Revert batch 1…").click()
        visit.page.get_by_role("dialog").get_by_role("button", name="Revert batch 1").click()
        visit.page.get_by_text("Batch 1 was reverted.").wait_for()


def test_upload_ends_with_the_token(small_world: str, open_visit: VisitOpener) -> None:
    token = create_api_token(small_world, "upload", name="short")
    with (
        running_server(small_world, writes_are_open=False) as client,
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        button(visit, "Enter a token…").click()
        enter_token(visit, token)
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").wait_for()
        button(visit, "Token: set").click()
        button(visit, "Forget token").click()
        heading(visit, "Uploading needs a token").wait_for()


def test_unreadable_format_is_named_with_its_remedy(visit: Visit, axe: Path) -> None:
    choose(visit, b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "prices.pdf")
    visit.page.get_by_text("UNKNOWN_FORMAT: the file is a PDF document; expected CSV").wait_for()
    assert not visit.find_violations(axe)
    visit.take_screenshot("uploads-unknown-format")
    button(visit, "Choose another file").click()
    choose(visit, "wrong,columns\n1,2\n")
    visit.page.get_by_text("WRONG_COLUMNS").wait_for()


def test_empty_file_is_refused(visit: Visit) -> None:
    choose(visit, "")
    visit.page.get_by_text("EMPTY_BATCH").wait_for()


def test_file_above_the_limit_is_refused_with_what_to_do(visit: Visit) -> None:
    choose(visit, prices(*range(20_000)))
    visit.page.get_by_text("The file is larger than this server accepts.").wait_for()
    visit.take_screenshot("uploads-too-large")
    visit.expect_console("413")


def test_rate_limit_is_waited_for(small_world: str, open_visit: VisitOpener, axe: Path) -> None:
    token = create_api_token(small_world, "upload", name="busy")
    # The file is chosen within the first third of a window, and the page waits for its end.
    seconds = 30
    with (
        running_server(small_world, writes_are_open=False, token_rate_limit=f"20 per {seconds} seconds") as client,
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        button(visit, "Enter a token…").click()
        enter_token(visit, token)
        heading(visit, "History").wait_for()
        exhaust_window(client, seconds, token)
        choose(visit, prices(1000))
        visit.page.get_by_text("You have reached the limit of requests per minute").first.wait_for()
        visit.page.get_by_text("Next attempt in").wait_for()
        assert not visit.find_violations(axe)
        visit.take_screenshot("uploads-rate-limited")
        # It goes on by itself.
        button(visit, "Upload 1 item").wait_for()
        visit.expect_console("429")


def test_upload_refused_for_a_revoked_token_goes_on_with_another(small_world: str, open_visit: VisitOpener) -> None:
    tokens = [create_api_token(small_world, "upload", name=name) for name in ("old", "new")]
    with (
        running_server(small_world, writes_are_open=False) as client,
        open_visit(str(client.http.base_url), "/uploads") as visit,
    ):
        button(visit, "Enter a token…").click()
        enter_token(visit, tokens[0])
        choose(visit, prices(1000))
        button(visit, "Upload 1 item").wait_for()
        # In a thread of its own, because playwright runs a loop in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(ratesgraph_in_process, small_world, "token", "revoke", tokens[0]).result()
        eventually(
            lambda: client.http.post("/graphql", headers=authorization_header(tokens[0])).status_code == UNAUTHORIZED,
            "the revoked token is still accepted",
        )
        button(visit, "Upload 1 item").click()
        visit.page.get_by_role("dialog").get_by_text("The server refused the token.").wait_for()
        enter_token(visit, tokens[1])
        visit.page.get_by_text("is stored and waits for a worker.").first.wait_for()
        visit.expect_console("401")
