"""The page Prices on all screens, and without server, database, requests or prices."""

from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.support.batches.uploads import upload
from tests.support.faults.database_proxy import running_database_proxy
from tests.support.faults.proxy import running_proxy
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, running_server
from tests.support.http.rate_limits import exhaust_window
from tests.support.pages.prices import FULL, MARKET, SPARSE, THIN, item, open_prices
from tests.support.pages.visit import SCREENS, Visit

pytestmark = pytest.mark.slow

LATE = "CNSGH~DEHAM"
"""A lane without prices, until a test uploads some."""
WINDOW_SECONDS = 30
"""Window of the rate limit: the page opens within its first third, and shows for the rest that it waits."""
FORM_OPEN = ".combobox [role=option]"


def check(visit: Visit, axe: Path, name: str) -> None:
    """Check accessibility and width of the page as it is, and take a picture for people."""
    assert not visit.find_violations(axe)
    assert not visit.overflows()
    visit.take_screenshot(f"prices-{name}")


@pytest.mark.parametrize("screen", SCREENS)
def test_page_is_accessible_on_all_screens(
    demo_server: Client, open_visit: VisitOpener, axe: Path, screen: str
) -> None:
    lanes = ("china_main~north_europe_main", "CNSGH~NLRTM", "us_west_coast~mediterranean")
    visit = open_prices(open_visit, demo_server, *lanes, **SCREENS[screen])
    visit.page.get_by_text("lowest to highest price").wait_for()
    check(visit, axe, f"full-{screen}")
    visit.page.get_by_role("combobox", name="Origin").fill("rot")
    visit.page.locator(FORM_OPEN).first.wait_for()
    check(visit, axe, f"search-{screen}")
    visit.page.get_by_role("button", name="Table").click()
    visit.page.locator(".table").wait_for()
    check(visit, axe, f"table-{screen}")
    visit.page.get_by_role("button", name="Copy query").click()
    check(visit, axe, f"code-{screen}")


@pytest.mark.parametrize("screen", ["light", "dark", "phone"])
def test_thin_and_empty_lanes_are_accessible(server: Client, open_visit: VisitOpener, axe: Path, screen: str) -> None:
    visit = open_prices(open_visit, server, THIN, MARKET, query="period=all", **SCREENS[screen])
    visit.page.get_by_text("lowest to highest price").wait_for()
    visit.page.get_by_role("slider").focus()
    visit.page.locator(".tooltip").wait_for()
    check(visit, axe, f"thin-{screen}")
    empty = open_prices(open_visit, server, SPARSE, query="period=all", wait_for=".note.market", **SCREENS[screen])
    check(empty, axe, f"empty-{screen}")
    unknown = open_prices(open_visit, server, "CNSGX~NLRTM", wait_for=".suggestions", **SCREENS[screen])
    check(unknown, axe, f"unknown-{screen}")


def test_reduced_motion_draws_the_range_at_once(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, reduced_motion="reduce")
    visit.page.get_by_text("lowest to highest price").wait_for()
    visit.expect_value(lambda: visit.page.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches"), True)


def test_chart_stays_while_the_server_is_away(server: Client, open_visit: VisitOpener, axe: Path) -> None:
    visit = open_prices(open_visit, server, FULL, query="period=all")
    visit.page.route("**/graphql", lambda route: route.abort())
    visit.page.get_by_label("Average per").select_option("Week")
    note = visit.page.get_by_role("alert")
    expect(note).to_contain_text("The server cannot be reached.")
    expect(visit.page.locator(".chart canvas")).to_have_count(2)
    check(visit, axe, "offline")
    visit.page.unroute("**/graphql")
    # By itself.
    expect(note).to_have_count(0)
    visit.expect_console("net::ERR_FAILED")


@pytest.mark.usefixtures("server")
def test_page_waits_while_the_database_is_away(module_database_url: str, open_visit: VisitOpener, axe: Path) -> None:
    with (
        running_database_proxy(module_database_url) as (proxy, url),
        running_server(url) as client,
        open_prices(open_visit, client, FULL, query="period=all") as visit,
    ):
        reachable, proxy.server = proxy.server, None
        proxy.cut()
        visit.page.get_by_label("Average per").select_option("Week")
        note = visit.page.get_by_role("alert")
        expect(note).to_contain_text("This page tries again in")
        check(visit, axe, "database-away")
        proxy.server = reachable
        expect(note).to_have_count(0)
        expect(visit.page.locator(".lane")).to_contain_text("31 Jan 2026 (incomplete) · 18 prices")
    visit.expect_console("503 (Service Unavailable)")


@pytest.mark.usefixtures("server")
def test_page_waits_when_it_has_sent_too_many_requests(
    module_database_url: str, open_visit: VisitOpener, axe: Path
) -> None:
    limit = f"20 per {WINDOW_SECONDS} seconds"
    with (
        running_server(module_database_url, rate_limit=limit, writes_are_open=False) as client,
        # Before the limit is reached: the browser may take long to start.
        open_prices(open_visit, client, FULL, query="period=all") as visit,
    ):
        exhaust_window(client, WINDOW_SECONDS)
        visit.page.reload()
        expect(visit.page.get_by_role("alert")).to_contain_text("Too many requests. This page tries again in")
        check(visit, axe, "rate-limited")
        visit.page.locator(".chart canvas").first.wait_for()
    visit.expect_console("429")


def test_changes_during_an_outage_appear_afterwards(server: Client, open_visit: VisitOpener) -> None:
    port = server.http.base_url.port
    assert port is not None
    with (
        running_proxy(port) as proxy,
        open_visit(f"http://127.0.0.1:{proxy.port}", f"/?lane={LATE}&period=all") as visit,
    ):
        expect(visit.page.locator(".lane")).to_contain_text("No prices in this period")
        visit.wait_for_subscription()
        reachable, proxy.server = proxy.server, None
        proxy.cut()
        expect(visit.page.locator(".live")).to_contain_text("The connection to the server is lost.")
        prices = [item("CNSGH", "DEHAM", 1, 31, price) for price in (700, 800, 900)]
        assert upload(server, *prices)["batch"]["status"] == "APPLIED"
        proxy.server = reachable
        expect(visit.page.locator(".live")).to_contain_text("Reconnected: updated at")
        expect(visit.page.locator(".lane")).to_contain_text("$800")
    # Chromium reports requests and attempts to reconnect that fall into the outage, if there are any.
    visit.allow_console("WebSocket connection", "net::ERR_")


def refuse_range(route: Route) -> None:
    """Refuse the second query as a server does whose region is too large."""
    if "query Range" not in (route.request.post_data or ""):
        route.continue_()
        return
    error = {"message": "The statistics need too many prices.", "extensions": {"code": "TOO_MANY_PRICES"}}
    route.fulfill(json={"data": None, "errors": [error]})


def test_line_stays_when_the_range_is_too_much(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, query="period=all")
    visit.page.route("**/graphql", refuse_range)
    visit.page.get_by_label("Average per").select_option("Week")
    expect(visit.page.locator(".legend")).to_contain_text("The range of prices is not available for this many prices.")
    expect(visit.page.locator(".chart canvas")).to_have_count(2)


@pytest.mark.usefixtures("server")
def test_chart_and_table_say_how_exact_the_range_is(module_database_url: str, open_visit: VisitOpener) -> None:
    said = "Many prices: lowest, highest and quartiles are within 1.6%. Averages are exact."
    with running_server(module_database_url, max_exact_prices=0) as client:
        with open_prices(open_visit, client, MARKET, query="period=all") as visit:
            expect(visit.page.locator(".legend")).to_contain_text(said)
            visit.page.get_by_role("button", name="Table").click()
            expect(visit.page.get_by_text(said)).to_be_visible()
        # A lane of ports has exact prices.
        with open_prices(open_visit, client, FULL, query="period=all") as visit:
            expect(visit.page.locator(".legend")).to_contain_text("lowest to highest price")
            expect(visit.page.get_by_text(said)).to_have_count(0)


@pytest.mark.usefixtures("server")
def test_costly_query_names_its_limit(module_database_url: str, open_visit: VisitOpener) -> None:
    days = "from=2020-01-01&to=2029-12-31"
    with (
        running_server(module_database_url, max_cost=3_000) as client,
        open_prices(open_visit, client, FULL, query=days, wait_for="[role=alert]") as visit,
    ):
        expect(visit.page.get_by_role("alert")).to_contain_text("request fewer days, lanes or entries")
        visit.page.get_by_label("Average per").select_option("Month")
        visit.page.locator(".chart canvas").first.wait_for()
    visit.expect_console("400 (Bad Request)")
