"""Downloads of the page Prices, and its query as a program."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import expect

from tests.support.commands.processes import TIMEOUT_SECONDS
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server
from tests.support.pages.prices import FULL, SPARSE, THIN, open_prices
from tests.support.pages.visit import Visit
from tests.support.tokens import create_api_token

pytestmark = pytest.mark.slow


def download(visit: Visit, name: str, folder: Path) -> Path:
    """Choose a download in the menu and return the file."""
    visit.page.locator("summary").click()
    with visit.page.expect_download() as started:
        visit.page.get_by_role("button", name=name).click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def test_downloads_have_all_lanes_with_asked_and_shown_market(
    server: Client, open_visit: VisitOpener, tmp_path: Path
) -> None:
    visit = open_prices(open_visit, server, THIN, SPARSE, query="period=all&market=wider")
    path = download(visit, "CSV", tmp_path)
    assert path.name == "prices_2026-01-01_2026-01-31.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert len(rows) == 62
    names = ["origin", "destination", "date_from", "price_count", "average", "null_reason", "currency", "p0", "p100"]
    assert [rows[14][name] for name in names] == [
        *("CNSGH", "NLRTM", "2026-01-15", "2", "", "BELOW_MINIMUM_SAMPLE", "USD", "", "")
    ]
    names = ["asked_origin", "asked_destination", "origin", "destination", "average", "p0", "p100"]
    # (900 + 1,000 + 1,100 + 1,200) / 4.
    assert [rows[31][name] for name in names] == [*("CNNBO", "DEHAM", "CNNBO", "europe", "1050.0", "900.0", "1200.0")]
    frame = pl.read_parquet(download(visit, "Parquet", tmp_path))
    assert frame["average"].to_list() == [float(row["average"]) if row["average"] else None for row in rows]


def test_picture_is_a_png_with_title_and_both_charts(server: Client, open_visit: VisitOpener, tmp_path: Path) -> None:
    visit = open_prices(open_visit, server, THIN, FULL, query="period=all")
    path = download(visit, "Picture", tmp_path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))
    assert width > 1_000
    assert height > 500


@pytest.mark.usefixtures("server")
def test_download_sends_the_token(module_database_url: str, open_visit: VisitOpener, tmp_path: Path) -> None:
    token = create_api_token(module_database_url, "read")
    with (
        running_server(module_database_url, anonymous_reads=False) as closed,
        open_prices(open_visit, closed, FULL, wait_for="dialog[open]") as visit,
    ):
        visit.page.get_by_label("Token", exact=True).fill(token)
        visit.page.keyboard.press("Enter")
        visit.page.locator(".chart canvas").first.wait_for()
        assert len(download(visit, "CSV", tmp_path).read_text(encoding="utf-8").splitlines()) == 32
    visit.expect_console("401 (Unauthorized)")


def test_query_is_copied_in_four_languages(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, THIN, query="period=all&market=wider")
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.page.get_by_role("button", name="Copy query").click()
    dialog = visit.page.get_by_role("dialog")
    texts = {}
    for name in ("GraphQL", "curl", "Python", "TypeScript"):
        dialog.get_by_role("button", name=name, exact=True).click()
        expect(dialog.get_by_role("status")).to_have_text("")
        dialog.get_by_role("button", name="Copy").click()
        expect(dialog.get_by_role("status")).to_have_text("Copied.")
        texts[name] = visit.page.evaluate("navigator.clipboard.readText()")
    series = server.ask(texts["GraphQL"])["priceSeries"]
    assert series["from"][0] == "2026-01-01"
    assert series["lanes"][0]["averages"] == [1_100.0] * 31
    shell = subprocess.run(
        ["bash", "-c", texts["curl"]], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True
    )
    assert json.loads(shell.stdout)["data"]["priceSeries"] == series
    python = subprocess.run(
        [sys.executable, "-"],
        input=texts["Python"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    assert "CNNBO NLRTM 2026-01-01 1100.0" in python.stdout
    assert visit.origin in texts["TypeScript"]
    link = dialog.get_by_role("link", name="Open in GraphiQL").get_attribute("href")
    assert link is not None
    assert link.startswith("/graphql?query=")
