"""The address of the page Prices: what it holds, and values that make no sense."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client
from tests.support.pages.prices import CHART, FULL, MARKET, cards, open_prices
from tests.support.pages.visit import Visit

pytestmark = pytest.mark.slow

RESET = "Reset zoom"


def drag(visit: Visit, start: int, end: int) -> None:
    """Drag over the chart, from one distance in pixels from its left edge to another."""
    visit.page.get_by_text("middle half of the prices").wait_for()
    box = visit.page.locator(".u-over").first.bounding_box()
    assert box
    visit.page.mouse.move(box["x"] + start, box["y"] + 50)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + end, box["y"] + 60, steps=4)
    visit.page.mouse.up()


def test_zoom_is_part_of_the_address(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, query="period=all")
    before = visit.page.url
    drag(visit, 200, 500)
    reset = visit.page.get_by_role("button", name=RESET)
    reset.wait_for()
    expect(visit.page).to_have_url(re.compile("zoom=2026-01-"))
    zoomed = visit.page.url
    other = open_prices(open_visit, server, FULL, query=zoomed.partition("&")[2])
    other.page.get_by_role("button", name=RESET).wait_for()
    other.page.get_by_role("button", name=RESET).click()
    expect(other.page).not_to_have_url(re.compile("zoom"))
    visit.page.go_back()
    expect(reset).to_have_count(0)
    expect(visit.page).to_have_url(before)
    visit.page.go_forward()
    reset.wait_for()
    # Another period is seen as a whole.
    visit.page.get_by_role("button", name="1M").click()
    expect(reset).to_have_count(0)


@pytest.mark.parametrize(
    "zoom", ["2020-01-01~2020-02-01", "2026-01-20~2026-01-10", "2026-01-01~2026-01-31", "x~y", "~", "2026-01-05"]
)
def test_zoom_that_shows_nothing_less_is_ignored(server: Client, open_visit: VisitOpener, zoom: str) -> None:
    visit = open_prices(open_visit, server, FULL, query=f"period=all&zoom={zoom}")
    visit.page.get_by_text("middle half of the prices").wait_for()
    expect(visit.page.get_by_role("button", name=RESET)).to_have_count(0)


@pytest.mark.parametrize("days", ["from=0000-01-01&to=0000-01-31", "from=0001-01-01&to=9999-12-31"])
def test_years_without_four_digits_are_ignored(server: Client, open_visit: VisitOpener, days: str) -> None:
    visit = open_prices(open_visit, server, FULL, query=days)
    expect(visit.page.get_by_role("textbox", name="From")).to_have_value("2026-01-01")


def test_typing_a_year_asks_for_no_other_year(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, query="period=all")
    asked = len(visit.responses)
    field = visit.page.get_by_role("textbox", name="From")
    field.focus()
    # In the order of American dates, as the browser of the tests has it.
    field.press_sequentially("01052026", delay=50)
    visit.wait_until(lambda: "from=2026-" in visit.page.url, "the day is not in the address")
    sent = [response.request.post_data or "" for response in visit.responses[asked:]]
    assert not [text for text in sent if '"from":"0' in text]
    expect(visit.page.get_by_role("alert")).to_have_count(0)


def test_lane_in_capitals_and_small_letters_is_one(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, FULL.lower(), MARKET, MARKET.upper(), query="period=all")
    visit.expect_value(lambda: len(cards(visit)), 2)


def test_names_from_right_to_left_keep_the_direction_of_the_lane(server: Client, open_visit: VisitOpener) -> None:
    names = {"CNSGH": "\u05e9\u05e0\u05d7\u05d0\u05d9", "DEHAM": "\u05d4\u05de\u05d1\u05d5\u05e8\u05d2"}
    parents = {"CNSGH": "china", "DEHAM": "europe"}
    ports = ", ".join(
        f'{{ code: "{key}", name: "{name}", parentSlug: "{parents[key]}" }}' for key, name in names.items()
    )
    server.ask(f"mutation {{ upsertPorts(ports: [{ports}]) {{ userErrors {{ code }} }} }}")
    visit = open_prices(open_visit, server, "CNSGH~DEHAM", query="period=all", wait_for=".lane strong")
    name = visit.page.locator(".lane strong").first
    expect(name).to_have_text(f"\u2068{names['CNSGH']}\u2069 → \u2068{names['DEHAM']}\u2069")
    edges = name.evaluate(
        """element => {
          const text = element.firstChild;
          const left = (index) => {
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + 1);
            return range.getBoundingClientRect().left;
          };
          return [left(1), left(text.data.indexOf('→')), left(text.data.length - 2)];
        }"""
    )
    assert edges == sorted(edges)
    english = {"CNSGH": "Shanghai", "DEHAM": "Hamburg"}
    back = ", ".join(
        f'{{ code: "{key}", name: "{name}", parentSlug: "{parents[key]}" }}' for key, name in english.items()
    )
    server.ask(f"mutation {{ upsertPorts(ports: [{back}]) {{ userErrors {{ code }} }} }}")


def test_chart_survives_addresses_of_any_kind(server: Client, open_visit: VisitOpener) -> None:
    odd = "lane=%E0%A4%A~%&lane=__proto__~constructor&by=toString&cur=__proto__&sel=1e99&period=constructor&zoom=%FF&%"
    visit = open_visit(str(server.http.base_url), f"/?lane={FULL}&{odd}")
    visit.page.locator(CHART).first.wait_for()
    visit.page.get_by_text("No port or region is called “__proto__”.").wait_for()
