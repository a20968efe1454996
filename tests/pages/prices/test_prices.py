"""The page Prices: lanes, comparison, gaps, larger markets, links, changes by others."""

import itertools
import json
import re

import pytest
from playwright.sync_api import expect

from tests.support.batches.uploads import upload
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client
from tests.support.pages.prices import (
    FULL,
    MARKET,
    SPARSE,
    THIN,
    cards,
    item,
    open_prices,
    options,
    read_table,
)

pytestmark = pytest.mark.slow


def test_first_visit_shows_a_lane_that_has_data(demo_server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, demo_server)
    expected = r"China Main → North Europe Main \$[\d,]+ 15 Jul 2026 · \d+ prices · [+−][\d.]+% over the period"
    visit.expect_value(lambda: [bool(re.fullmatch(expected, card)) for card in cards(visit)], [True])
    visit.page.get_by_text("lowest to highest price").wait_for()
    examples = visit.page.locator(".examples button")
    expect(examples).to_have_count(2)
    expect(examples.first).to_have_text("Shanghai → Rotterdam")
    expect(examples.last).to_contain_text("(few prices)")
    # A lane of the user replaces the example.
    examples.last.click()
    expect(visit.page.locator(".lane")).to_have_count(1)
    expect(visit.page.locator(".legend")).to_contain_text("no average")
    visit.page.go_back()
    expect(visit.page.locator(".lane")).to_contain_text("China Main")


def test_first_visit_without_demo_data_shows_the_best_lane(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server)
    expected = ["Ningbo → Rotterdam $1,100 31 Jan 2026 · 3 prices · 0.0% over the period"]
    visit.expect_value(lambda: cards(visit), expected)


def test_lane_is_chosen_by_the_keyboard_alone(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL)
    keyboard, page = visit.page.keyboard, visit.page
    page.get_by_role("combobox", name="Origin").focus()
    keyboard.type("sgh")
    options(visit).first.wait_for()
    keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Destination")).to_be_focused()
    # Destinations with prices from this origin come first.
    keyboard.press("ArrowDown")
    expect(options(visit)).to_have_count(2)
    keyboard.press("ArrowDown")
    expect(visit.page.get_by_role("option", selected=True).and_(options(visit))).to_contain_text("NLRTM")
    keyboard.press("Enter")
    expect(page.get_by_role("button", name="Add lane")).to_be_focused()
    keyboard.press("Enter")
    expect(page.locator(".lane")).to_have_count(2)
    expect(page).to_have_url(f"{visit.origin}/?lane={FULL}&lane={THIN}&period=1y&sel=2")
    expect(page.locator(".legend")).to_contain_text("Range, gaps and counts belong to Shanghai → Rotterdam.")


def test_destinations_without_prices_are_marked(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL)
    visit.page.get_by_role("combobox", name="Origin").fill("CNSGH")
    options(visit).first.click()
    visit.page.get_by_role("combobox", name="Destination").fill("e")
    expect(options(visit).filter(has_text="DEHAM")).to_contain_text("no prices")
    expect(options(visit).filter(has_text="Rotterdam")).not_to_contain_text("no prices")


def test_form_explains_what_is_missing(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL)
    visit.page.get_by_role("button", name="Add lane").click()
    expect(visit.page.get_by_role("alert")).to_have_text("Choose a port or region from the list.")
    visit.page.get_by_role("combobox", name="Origin").fill("nowhere")
    expect(visit.page.locator(".popup")).to_have_text("No port or region matches “nowhere”.")


def test_four_lanes_are_compared_and_no_more(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, THIN, SPARSE, MARKET, query="period=all")
    names = ["Ningbo → Rotterdam ×", "Shanghai → Rotterdam ×"]
    visit.expect_value(lambda: [text.split(" $")[0] for text in cards(visit)[:2]], names)
    assert cards(visit)[2] == "Ningbo → Hamburg × Too few: at most 1 price a day, an average needs 3"
    expect(visit.page.get_by_role("button", name="Add lane")).to_be_disabled()
    visit.page.get_by_role("button", name="Remove Ningbo → Hamburg").click()
    expect(visit.page.locator(".lane")).to_have_count(3)
    expect(visit.page.get_by_role("button", name="Add lane")).to_be_enabled()
    visit.page.get_by_role("button", name="Shanghai → Rotterdam", exact=True).click()
    expect(visit.page.locator(".lane.selected")).to_contain_text("Shanghai")
    expect(visit.page).to_have_url(re.compile("sel=2"))


def test_slider_reads_out_averages_and_the_reasons_of_gaps(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, THIN, query="period=all")
    expect(visit.page.locator(".legend")).to_contain_text("too few prices for an average")
    slider = visit.page.get_by_role("slider", name="Read the chart")
    expect(slider).to_have_attribute("aria-valuetext", "31 Jan 2026. $2,400 ($2,300 to $2,500, 3 prices)")
    slider.focus()
    texts = {}
    for day in range(30, 14, -1):
        visit.page.keyboard.press("ArrowLeft")
        expect(visit.page.locator(".tooltip strong")).to_have_text(f"{day} Jan 2026")
        expect(slider).to_have_attribute("aria-valuetext", re.compile(f"^{day} Jan 2026"))
        texts[day] = slider.get_attribute("aria-valuetext")
    assert texts[20] == "20 Jan 2026. no price"
    assert texts[15] == "15 Jan 2026. 2 prices: too few for an average"


def test_table_has_all_days_newest_first(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, THIN, query="period=all&view=table", wait_for=".table th:nth-child(8)")
    rows = read_table(visit)
    assert len(rows) == 31
    assert rows[0] == ["31 Jan 2026", "$2,400.00", "3", "$2,300.00", "$2,350.00", "$2,450.00", "$2,500.00", ""]
    assert rows[11] == ["20 Jan 2026", "–", "0", "–", "–", "–", "–", "no price"]
    assert rows[16] == ["15 Jan 2026", "–", "2", "–", "–", "–", "–", "2 prices: too few for an average"]
    visit.page.get_by_label("Average per").select_option("Month")
    expect(visit.page.locator(".table tbody tr")).to_have_count(1)
    # 10 × (2,000 + 2,100 + 2,200) + 5 × 4,100 + 11 × 7,200 over 73 prices.
    expect(visit.page.locator(".table tbody td").first).to_have_text("$2,228.77")


def test_larger_market_is_offered_and_shown_with_one_click(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, SPARSE, query="period=all", wait_for=".note.market")
    expect(visit.page.locator(".note.market")).to_contain_text(
        "Ningbo → Hamburg has averages for less than half of the period."
    )
    visit.page.get_by_role("button", name="Show the larger market").click()
    visit.page.locator(".chart canvas").first.wait_for()
    expect(visit.page.locator(".lane")).to_have_count(1)
    expect(visit.page.locator(".lane")).to_contain_text("Requested: Ningbo → Hamburg")
    (card,) = cards(visit)
    assert card.startswith("Ningbo → Europe $")
    expect(visit.page).to_have_url(re.compile("market=wider"))
    visit.page.get_by_role("button", name="Show the requested lanes").click()
    expect(visit.page.locator(".lane")).to_contain_text("Too few")


def test_address_shows_the_same_view_to_others(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, THIN)
    page = visit.page
    page.get_by_role("button", name="Shanghai → Rotterdam", exact=True).click()
    page.get_by_label("Currency").select_option("EUR")
    page.get_by_label("Average per").select_option("Week")
    page.get_by_label("From", exact=True).fill("2026-01-05")
    page.get_by_label("To", exact=True).fill("2026-01-25")
    page.get_by_role("button", name="Table").click()
    page.locator(".table th:nth-child(8)").first.wait_for()
    query = f"lane={FULL}&lane={THIN}&from=2026-01-05&to=2026-01-25&by=week&cur=EUR&sel=2&view=table"
    expect(page).to_have_url(f"{visit.origin}/?{query}")
    other = open_prices(open_visit, server, query=query, wait_for=".table th:nth-child(8)")
    rows = read_table(other)
    assert len(rows) == 3
    assert "€" in rows[0][1]
    # Until its last answer has arrived, the page shows the one before.
    visit.expect_value(lambda: read_table(visit), rows)


def test_copied_link_shows_the_same_view_to_others(demo_server: Client, open_visit: VisitOpener) -> None:
    # At the first visit the address does not name the lane.
    visit = open_prices(open_visit, demo_server)
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.page.get_by_role("button", name="Copy link").click()
    expect(visit.page.get_by_text("Link copied.")).to_be_visible()
    link = visit.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{visit.origin}/?lane=china_main~north_europe_main&period=1y"
    other = open_prices(open_visit, demo_server, query=link.split("?")[1])
    assert cards(other) == cards(visit)


def test_years_before_the_typed_one_is_complete_are_not_queried(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, query="period=all", locale="en-US")
    field = visit.page.get_by_label("From", exact=True)
    field.focus()
    visit.page.keyboard.type("01102026")
    expect(field).to_have_value("2026-01-10")
    expect(visit.page.get_by_role("slider")).to_have_attribute("max", "21")
    queries = [json.loads(response.request.post_data or "{}") for response in visit.responses]
    first_days = {query["variables"]["from"] for query in queries if "from" in query.get("variables", {})}
    assert first_days == {"2026-01-01", "2026-01-10"}


def test_bucket_cut_off_by_the_period_keeps_its_distance_in_the_chart(server: Client, open_visit: VisitOpener) -> None:
    # The first week consists of a Sunday.
    visit = open_prices(open_visit, server, FULL, query="from=2026-01-04&to=2026-01-25&by=week")
    visit.page.get_by_text("middle half of the prices").wait_for()
    slider = visit.page.get_by_role("slider", name="Read the chart")
    slider.focus()
    positions = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
        visit.page.keyboard.press(key)
        box = visit.page.locator(".u-cursor-x").first.bounding_box()
        assert box
        positions.append(box["x"])
    distances = [after - before for before, after in itertools.pairwise(positions)]
    assert max(distances) - min(distances) < 2


def test_address_with_nonsense_shows_the_defaults(server: Client, open_visit: VisitOpener) -> None:
    query = "lane=a&lane=~&sel=-7&from=2026-02-31&to=x&by=minute&cur=XXX&period=9z&view=%00"
    visit = open_prices(open_visit, server, query=query)
    expect(visit.page.locator(".lane")).to_have_count(1)
    expect(visit.page.get_by_role("button", name="1Y: Last year of the data")).to_have_attribute("aria-pressed", "true")


def test_unknown_location_offers_suggestions(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, "CNSGX~NLRTM", FULL)
    expect(visit.page.get_by_role("alert")).to_contain_text("No port or region is called “CNSGX”.")
    visit.page.get_by_role("button", name="CNSGH", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_have_count(0)
    expect(visit.page).to_have_url(re.compile(re.escape(f"?lane={THIN}&lane={FULL}")))


def test_drag_zooms_and_a_double_click_resets(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, FULL, query="period=all")
    # The range arrives after the averages, and the chart is drawn a second time.
    visit.page.get_by_text("middle half of the prices").wait_for()
    box = visit.page.locator(".u-over").first.bounding_box()
    assert box
    visit.page.mouse.move(box["x"] + 200, box["y"] + 50)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + 500, box["y"] + 60, steps=4)
    visit.page.mouse.up()
    reset = visit.page.get_by_role("button", name="Reset zoom")
    reset.wait_for()
    visit.page.mouse.dblclick(box["x"] + 300, box["y"] + 50)
    expect(reset).to_have_count(0)


def test_chart_follows_prices_that_another_client_uploads(server: Client, open_visit: VisitOpener) -> None:
    visit = open_prices(open_visit, server, "CNSGH~DEHAM", query="period=all", wait_for=".blank")
    visit.wait_for_subscription()
    prices = [item("CNSGH", "DEHAM", 1, 31, price) for price in (700, 800, 900)]
    batch = upload(server, *prices)["batch"]
    expect(visit.page.locator(".live")).to_contain_text("Prices changed: updated at")
    expect(visit.page.locator(".lane")).to_contain_text("$800")
    # Not under the pointer.
    visit.page.locator(".u-over").first.hover()
    server.ask("mutation ($id: ID!) { revertBatch(id: $id) { userErrors { code } } }", id=batch["id"])
    expect(visit.page.locator(".live")).to_contain_text("Prices have changed.")
    expect(visit.page.locator(".lane")).to_contain_text("$800")
    visit.page.get_by_role("heading", level=1).hover()
    expect(visit.page.locator(".lane")).to_contain_text("No prices in this period")
