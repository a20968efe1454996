"""Steps of an upload on its page: choose, check, send, follow, revert."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.pages.uploads import DROP_FILE, button, choose, heading, list_batches, prices
from tests.support.pages.visit import Visit

pytestmark = pytest.mark.slow

AVERAGE = """query ($day: Date!) {
  averagePrices(dateFrom: $day, dateTo: $day, origin: "CNSGH", destination: "NLRTM") { averagePrice priceCount }
}"""


@pytest.fixture(scope="module")
def server(demo_url: str) -> Iterator[Client]:
    """Yield a server of demo data, without a worker."""
    with running_server(demo_url) as client:
        yield client


@pytest.fixture
def worker(demo_url: str) -> Iterator[None]:
    """Apply batches."""
    with running_worker(demo_url):
        yield


@pytest.fixture
def visit(server: Client, open_visit: VisitOpener) -> Visit:
    """Return the open page, with its history."""
    visit = open_visit(str(server.http.base_url), "/uploads")
    heading(visit, "History").wait_for()
    return visit


def find_average(server: Client, day: str) -> tuple[float | None, int]:
    """Return the average and the number of prices of a day."""
    (found,) = server.ask(AVERAGE, day=day)["averagePrices"]
    return found["averagePrice"], found["priceCount"]


def test_upload_is_checked_then_sent_then_followed_to_its_end(
    server: Client, demo_url: str, visit: Visit, axe: Path
) -> None:
    day = "2026-07-20"
    choose(visit, prices(1400, 1500, 1600, day=day))
    heading(visit, "Result of the check").wait_for()
    expect(visit.page.get_by_text("3 of 3", exact=True)).to_be_visible()
    row = visit.page.get_by_role("row", name="Shanghai → Rotterdam")
    expect(row.get_by_role("cell")).to_have_text([day, "none", "$1,500.00", "new", "0 → 3"])
    assert find_average(server, day) == (None, 0)
    assert not visit.find_violations(axe)
    button(visit, "Upload 3 items").click()
    visit.page.get_by_text("is stored and waits for a worker.").first.wait_for()
    assert not visit.find_violations(axe)
    visit.take_screenshot("uploads-queued")
    with running_worker(demo_url):
        heading(visit, "is applied").wait_for()
    assert find_average(server, day) == (1500.0, 3)
    # The history shows it without being asked.
    visit.page.get_by_role("row", name="prices.csv").get_by_text("applied", exact=True).first.wait_for()
    visit.take_screenshot("uploads-applied")


@pytest.mark.usefixtures("worker")
def test_items_with_problems_are_left_out_only_by_choice(server: Client, visit: Visit, axe: Path) -> None:
    choose(visit, prices(1400, 1500, 1600, day="2026-07-21", invalid=7), "mixed.csv")
    heading(visit, "7 items have problems").wait_for()
    first = visit.page.get_by_role("row", name="UNKNOWN_PORT").first
    visit.expect_value(lambda: first.inner_text().split("\t")[:3], ["4", "origin", "UNKNOWN_PORT"])
    expect(visit.page.get_by_role("row", name="UNKNOWN_PORT")).to_have_count(5)
    button(visit, "Show all 7 problems (5 shown)").click()
    expect(visit.page.get_by_role("row", name="UNKNOWN_PORT")).to_have_count(7)
    expect(visit.page.get_by_role("button", name="Upload 3")).to_have_count(0)
    assert not visit.find_violations(axe)
    visit.page.get_by_label("Leave them out: upload the other 3 of 10").check()
    button(visit, "Upload 3 of 10").click()
    heading(visit, "is applied").wait_for()
    (newest, *_) = list_batches(server)
    assert (newest["status"], newest["acceptedCount"], newest["rejectedCount"]) == ("APPLIED", 3, 7)


@pytest.mark.usefixtures("worker")
def test_problems_are_saved_before_and_after_the_upload(visit: Visit) -> None:
    choose(visit, prices(1400, day="2026-07-22", invalid=2), "problems.csv")
    with visit.page.expect_download() as checked:
        button(visit, "Save the problems as CSV").click()
    assert checked.value.suggested_filename == "problems.csv-problems.csv"
    rows = list(csv.DictReader(checked.value.path().read_text().splitlines()))
    assert [(row["item"], row["code"], row["value"]) for row in rows] == [
        ("2", "UNKNOWN_PORT", "CNSGX"),
        ("3", "UNKNOWN_PORT", "CNSGX"),
    ]
    visit.page.get_by_label("Leave them out").check()
    button(visit, "Upload 1 of 3").click()
    heading(visit, "is applied").wait_for()
    with visit.page.expect_download() as stored:
        visit.page.get_by_role("row", name="problems.csv").get_by_role("button", name="Problems of batch").click()
    report = list(csv.DictReader(stored.value.path().read_text().splitlines()))
    assert [row["item"] for row in report] == ["2", "3"]
    visit.page.get_by_text(f"Saved {stored.value.suggested_filename}.").wait_for()


def test_file_without_a_valid_item_cannot_be_uploaded(visit: Visit) -> None:
    choose(visit, prices(invalid=3))
    visit.page.get_by_text("No item can be uploaded.").wait_for()
    expect(visit.page.get_by_role("button", name="Upload")).to_have_count(0)


def test_empty_file_has_one_problem_and_no_changes(visit: Visit) -> None:
    choose(visit, "")
    heading(visit, "The file has a problem").wait_for()
    visit.page.get_by_role("row", name="whole file EMPTY_BATCH").wait_for()
    expect(heading(visit, "Largest changes in averages")).to_have_count(0)


def test_misplaced_decimal_point_is_flagged(visit: Visit) -> None:
    choose(visit, prices(1000, 1000, 1000, day="2026-07-10"))
    heading(visit, "Largest changes in averages").wait_for()
    expect(visit.page.get_by_text("unusual")).to_have_count(0)
    button(visit, "Choose another file").click()
    choose(visit, prices(1_450_000, day="2026-07-10"))
    visit.page.get_by_role("row", name="Shanghai → Rotterdam").get_by_text("unusual").wait_for()
    visit.page.get_by_text("by more than 50%").wait_for()


@pytest.mark.usefixtures("worker")
def test_content_uploaded_by_the_command_is_recognised(server: Client, visit: Visit, axe: Path) -> None:
    text = prices(1700, day="2026-07-23")
    key = f"file:sha256:{hashlib.sha256(text.encode()).hexdigest()}:REJECT_BATCH"
    choose(visit, text, "first.csv")
    button(visit, "Upload 1 item").click()
    heading(visit, "is applied").wait_for()
    (newest, *_) = list_batches(server)
    # The key of `ratesgraph prices upload`.
    assert newest["idempotencyKey"] == key
    button(visit, "Upload another file").click()
    choose(visit, text, "renamed.csv")
    heading(visit, f"Already uploaded, batch {newest['number']}").wait_for()
    assert list_batches(server)[0] == newest
    assert not visit.find_violations(axe)
    visit.take_screenshot("uploads-replay")


@pytest.mark.usefixtures("worker")
def test_revert_names_what_goes_and_waits_for_a_confirmation(server: Client, visit: Visit, axe: Path) -> None:
    day = "2026-07-24"
    choose(visit, prices(1000, 2000, 3000, day=day), "reverted.csv")
    button(visit, "Upload 3 items").click()
    heading(visit, "is applied").wait_for()
    number = list_batches(server)[0]["number"]
    revert = button(visit, f"Revert batch {number}…")
    revert.click()
    dialog = visit.page.get_by_role("dialog", name=f"Revert batch {number}?")
    dialog.get_by_text("3 daily prices on 1 lane will no longer count").wait_for()
    dialog.get_by_text("reverted.csv").wait_for()
    assert not visit.find_violations(axe)
    visit.take_screenshot("uploads-revert")
    visit.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert find_average(server, day) == (2000.0, 3)
    revert.click()
    dialog.get_by_role("button", name=f"Revert batch {number}").click()
    visit.page.get_by_text(f"Batch {number} was reverted.").wait_for()
    # The result of the upload no longer says that it counts.
    heading(visit, f"Batch {number} was reverted").wait_for()
    assert find_average(server, day) == (None, 0)
    # The same content is a new batch.
    button(visit, "Upload another file").click()
    choose(visit, prices(1000, 2000, 3000, day=day), "reverted.csv")
    visit.page.get_by_text(f"as batch {number}, which is reverted").wait_for()
    button(visit, "Upload 3 items").click()
    heading(visit, f"Batch {number + 1} is applied").wait_for()
    assert find_average(server, day) == (2000.0, 3)


def test_rows_of_a_spreadsheet_are_pasted(visit: Visit, axe: Path) -> None:
    text = "origin_code\tdestination_code\tday\tprice\nCNSGH\tNLRTM\t2026-07-25\t1450\n"
    visit.page.get_by_label("Or paste rows from a spreadsheet").fill(text)
    button(visit, "Check the rows").click()
    button(visit, "Upload 1 item").wait_for()
    # The server says how it reads them.
    expect(visit.page.get_by_text("File: the fields are separated by tabs")).to_be_visible()
    assert not visit.find_violations(axe)
    visit.take_screenshot("uploads-pasted")


def test_dropped_file_is_checked(visit: Visit) -> None:
    visit.page.locator("main").evaluate(DROP_FILE, ["dropped.csv", prices(1450, day="2026-07-26")])
    button(visit, "Upload 1 item").wait_for()
    expect(visit.page.get_by_text("dropped.csv")).to_be_visible()


def test_content_that_the_browser_cannot_identify_is_uploaded_with_a_warning(
    server: Client, open_visit: VisitOpener
) -> None:
    visit = open_visit(str(server.http.base_url), "/uploads")
    # As for pages opened over http from another machine.
    visit.page.add_init_script("Object.defineProperty(crypto, 'subtle', { value: undefined })")
    visit.page.reload()
    choose(visit, prices(1450, day="2026-07-27"))
    visit.page.get_by_text("the browser cannot tell whether the file was uploaded before").wait_for()
    button(visit, "Upload 1 item").click()
    visit.page.get_by_text("is stored and waits for a worker.").first.wait_for()
    assert list_batches(server)[0]["idempotencyKey"].startswith("page:")


@pytest.mark.usefixtures("worker")
def test_keyboard_alone_uploads_and_reverts(server: Client, visit: Visit, tmp_path: Path) -> None:
    path, day = tmp_path / "keyboard.csv", "2026-07-28"
    path.write_text(prices(900, 1000, 1100, day=day))
    keyboard = visit.page.keyboard
    # A listener makes the browser hand its dialogs over from now on, and not at some time after the key.
    visit.page.on("filechooser", lambda _: None)
    visit.tab_to("Choose a file", exact=True)
    with visit.page.expect_file_chooser() as chooser:
        keyboard.press("Enter")
    chooser.value.set_files(path)
    heading(visit, "Result of the check").wait_for()
    visit.tab_to("Upload 3 items", exact=True)
    keyboard.press("Enter")
    heading(visit, "is applied").wait_for()
    number = list_batches(server)[0]["number"]
    button(visit, f"Revert batch {number}…").wait_for()
    visit.tab_to(f"Revert batch {number}…", exact=True)
    keyboard.press("Enter")
    visit.tab_to(f"Revert batch {number}", exact=True)
    keyboard.press("Enter")
    visit.page.get_by_text(f"Batch {number} was reverted.").wait_for()
    # The result of the upload no longer says that it counts.
    heading(visit, f"Batch {number} was reverted").wait_for()
    assert find_average(server, day) == (None, 0)
