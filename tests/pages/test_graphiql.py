"""GraphiQL without a network: examples that answer, subscription, mutation, links, workers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, expect

from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.pages.visit import Visit

pytestmark = pytest.mark.slow

QUERIES = ["Averages", "TwoLanes", "Search", "Batches", "UploadDryRun"]
KNOWN_VIOLATIONS = {"nested-interactive", "target-size"}
"""Rules that the tabs of GraphiQL itself break."""


@pytest.fixture(scope="module")
def server(demo_url: str) -> Iterator[Client]:
    """Yield a server of demo data with a worker."""
    with running_server(demo_url) as client, running_worker(demo_url):
        yield client


def open_graphiql(open_visit: VisitOpener, client: Client, address: str = "/graphql", **options: Any) -> Visit:  # noqa: ANN401
    """Open GraphiQL and wait until its editor shows an operation."""
    visit = open_visit(str(client.http.base_url), address, **options)
    visit.page.locator(".graphiql-query-editor .view-line").first.wait_for()
    # It completes what is typed once it has the schema.
    visit.wait_until(lambda: has_schema(visit), "GraphiQL has no schema")
    return visit


def has_schema(visit: Visit) -> bool:
    """Return whether the page has received the schema."""
    return any("__schema" in (response.request.post_data or "") for response in visit.responses)


def tabs(visit: Visit) -> Locator:
    """Return the buttons of the tabs."""
    return visit.page.locator(".graphiql-tab-button")


def run(visit: Visit, tab: str) -> None:
    """Select a tab and run its operation."""
    tabs(visit).filter(has_text=tab).click()
    visit.page.locator(".graphiql-query-editor .view-line", has_text=tab).first.wait_for()
    visit.page.get_by_role("button", name="Execute query").click()


def run_query(visit: Visit, tab: str) -> Json:
    """Run the operation of a tab and return its data. There must be no errors."""
    with visit.page.expect_response(lambda response: tab in (response.request.post_data or "")) as received:
        run(visit, tab)
    answer: Json = received.value.json()
    assert "errors" not in answer, answer
    data: Json = answer["data"]
    return data


def test_graphiql_examples_answer_on_the_demo_data(server: Client, open_visit: VisitOpener) -> None:
    visit = open_graphiql(open_visit, server)
    expect(tabs(visit)).to_have_text([*QUERIES, "Watch"])
    answers = {tab: run_query(visit, tab) for tab in QUERIES}
    assert all(day["averagePrice"] for day in answers["Averages"]["averagePrices"])
    assert [lane["averages"].count(None) for lane in answers["TwoLanes"]["priceSeries"]["lanes"]] == [0, 0]
    assert answers["Search"]["locations"]["totalCount"] > 1
    assert answers["Batches"]["batches"]["edges"]
    upload = answers["UploadDryRun"]["uploadPrices"]
    assert [upload["preview"][name] for name in ("status", "acceptedCount", "rejectedCount")] == ["APPLIED", 2, 1]
    assert [(error["item"], error["code"]) for error in upload["userErrors"]] == [(3, "UNKNOWN_PORT")]
    visit.page.locator(".graphiql-response .view-line", has_text="UNKNOWN_PORT").first.wait_for()


def test_graphiql_watches_the_prices_that_a_mutation_changes(server: Client, open_visit: VisitOpener) -> None:
    visit = open_graphiql(open_visit, server)
    run(visit, "Watch")
    visit.page.get_by_role("button", name="Stop query").wait_for()
    visit.wait_for_subscription()
    mutation = """mutation Store { uploadPrices(input: { waitMs: 30000, prices: [
      { origin: "CNSGH", destination: "NLRTM", dateFrom: "2026-07-15", price: 2000 } ] }) { batch { number status } } }"""
    other = open_graphiql(open_visit, server, f"/graphql?{urlencode({'query': mutation})}")
    batch = run_query(other, "Store")["uploadPrices"]["batch"]
    assert batch["status"] == "APPLIED"
    expect(visit.page.locator(".graphiql-response")).to_contain_text(str(batch["number"]))
    assert any("pricesChanged" in frame for frame in visit.frames)
    visit.page.get_by_role("button", name="Stop query").click()


def test_graphiql_runs_its_editor_and_languages_in_workers(server: Client, open_visit: VisitOpener) -> None:
    visit = open_graphiql(open_visit, server)
    visit.page.get_by_role("button", name="Variables").click()
    for name in ("editor.worker", "json.worker", "graphql.worker"):
        visit.wait_until(lambda name=name: any(name in worker.url for worker in visit.page.workers), f"no {name}")  # type: ignore[misc]


def test_graphiql_link_opens_its_query_with_variables_in_a_tab(server: Client, open_visit: VisitOpener) -> None:
    query = "query Linked($key: String!) { location(key: $key) { name } }"
    link = urlencode({"query": query, "variables": '{"key": "CNSGH"}'})
    visit = open_graphiql(open_visit, server, f"/graphql?{link}")
    assert run_query(visit, "Linked") == {"location": {"name": "Shanghai"}}
    expect(tabs(visit)).to_have_text(["Linked", *QUERIES, "Watch"])
    # A reload keeps the tabs and opens none; a link then opens one more.
    visit.page.reload()
    visit.page.locator(".graphiql-query-editor .view-line", has_text="Linked").first.wait_for()
    expect(tabs(visit)).to_have_text(["Linked", *QUERIES, "Watch"])
    visit.open(f"/graphql?{urlencode({'query': 'query Other { viewer { scopes } }'})}")
    visit.page.locator(".graphiql-query-editor .view-line", has_text="Other").first.wait_for()
    expect(tabs(visit)).to_have_count(len(QUERIES) + 3)


def test_graphiql_does_not_store_headers(server: Client, open_visit: VisitOpener) -> None:
    visit = open_graphiql(open_visit, server)
    visit.page.get_by_role("button", name="Headers").click()
    editor = visit.page.locator(".graphiql-editor-tool .graphiql-editor:not(.hidden)")
    editor.locator(".view-line").first.click()
    visit.wait_until(lambda: editor.locator(".monaco-editor.focused").count(), "the editor has no focus")
    visit.page.keyboard.insert_text('{"Authorization": "Bearer rgt_secret"}')
    editor.locator(".view-line", has_text="rgt_secret").wait_for()
    with visit.page.expect_response(lambda response: response.status == 401):
        visit.page.get_by_role("button", name="Execute query").click()
    visit.page.reload()
    visit.page.locator(".graphiql-query-editor .view-line").first.wait_for()
    visit.expect_value(lambda: "rgt_secret" in visit.page.evaluate("JSON.stringify(localStorage)"), False)
    visit.expect_console("401 (Unauthorized)")


@pytest.mark.parametrize(
    ("name", "options"),
    [("light", {}), ("dark", {"color_scheme": "dark"}), ("phone", {"viewport": {"width": 390, "height": 844}})],
)
def test_graphiql_is_accessible_but_for_its_tabs(
    server: Client, open_visit: VisitOpener, axe: Path, name: str, options: Json
) -> None:
    visit = open_graphiql(open_visit, server, **options)
    run_query(visit, "TwoLanes")
    visit.page.locator(".graphiql-response .view-line", has_text="downloadUrl").first.or_(
        visit.page.locator(".graphiql-response .view-line", has_text="priceSeries").first
    ).first.wait_for()
    found = visit.find_violations(axe)
    visit.take_screenshot(f"graphiql-{name}")
    assert not [(rule, node) for rule, node in found if rule not in KNOWN_VIOLATIONS or "graphiql-tab" not in node]
    assert not visit.overflows()


def test_graphiql_shows_the_documentation_and_the_explorer(server: Client, open_visit: VisitOpener) -> None:
    visit = open_graphiql(open_visit, server)
    visit.page.get_by_role("button", name="Show Documentation Explorer").click()
    visit.page.get_by_role("link", name="Query", exact=True).click()
    visit.page.get_by_text("Root query type: prices").wait_for()
    visit.take_screenshot("graphiql-documentation")
    visit.page.get_by_role("button", name="Show GraphiQL Explorer").click()
    visit.page.locator(".graphiql-explorer-root").get_by_text("averagePrices").first.wait_for()
    visit.take_screenshot("graphiql-explorer")
    visit.page.get_by_role("button", name="Show History").click()
    visit.page.get_by_role("link", name="Ratesgraph").click()
    visit.page.get_by_role("heading", name="What did it cost").wait_for()
