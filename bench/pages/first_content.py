"""`bench pages`: first content of each page on the demo data, in Chromium without a cache.

The time runs from the start of the navigation to the second frame with the content. Requests and bytes are counted until
one second later. A task is long above 50 ms (https://w3c.github.io/longtasks/).
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from playwright.async_api import Browser, async_playwright
from rich.console import Console
from rich.table import Table

from bench.data.database import open_world
from bench.processes import running_server
from bench.scale import Scale
from db.migrate import migrate
from db.pool import INGEST, connect
from ingest.demo.load import load_demo
from ingest.exchange_rates.ecb import load_ecb_rates
from server.pages.built_pages import read_built_pages

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
CONTENT = {
    "/": ".chart canvas",
    "/uploads": "main .card, main .note",
    "/locations": ".tree .node",
    "/status": "main .card, main .note",
    "/graphql": ".graphiql-execute-button",
}
"""CSS selector of the main content of each page. Without a token, `/uploads` and `/status` ask for one."""
PATIENCE_SECONDS = 60
IDLE_MS = 1_000
DEVELOPMENT = {"RATESGRAPH_PROFILE": "development"}
"""Profile with GraphiQL."""
VISITS = 5
MONTHS = 24
GOAL_MS, GOAL_KILOBYTES = 1_000, 100
WATCH = """selector => {
  window.measured = { longTasks: [], shift: 0 };
  const observe = (type, take) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  observe('longtask', ({ duration }) => measured.longTasks.push(duration));
  observe('layout-shift', ({ value }) => { measured.shift += value; });
  const wait = () => document.querySelector(selector)
    ? requestAnimationFrame(() => { measured.content = performance.now(); })
    : requestAnimationFrame(wait);
  wait();
}"""
COUNT = """() => {
  const loads = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  const bytes = loads.reduce((sum, { transferSize }) => sum + transferSize, 0);
  return { ...measured, requests: loads.length, bytes };
}"""
WAIT = """() => new Promise((resolve) => {
  const check = () => (measured.content ? resolve() : setTimeout(check, 20));
  check();
})"""


@dataclass(frozen=True, slots=True)
class Visit:
    """Figures of one visit: milliseconds, bytes, and the sum of layout shifts."""

    content: float
    requests: int
    bytes: int
    longTasks: Sequence[float]  # noqa: N815
    shift: float


async def bench_pages(console: Console, server_url: str, scale: Scale) -> None:
    """Measure the pages of a server with the demo data. Without pages or Chromium, say so."""
    program, failure = next(filter(None, map(shutil.which, PROGRAMS)), None), read_built_pages().failure
    if program is None or failure is not None:
        console.print(f"pages: not measured, {'Chromium is not installed' if failure is None else failure}")
        return
    async with open_world(server_url, "bench_pages") as world:
        url = world.info.dsn
        with console.status("demo data"):
            migrate(url)
            async with connect(url, INGEST) as connection:
                await load_ecb_rates(connection)
                months = scale.size(MONTHS)
                today = datetime.now(UTC).date()
                await load_demo(connection, report=lambda _: None, today=today, months=months)
        with console.status("pages"), running_server({**os.environ, **DEVELOPMENT, "DATABASE_URL": url}) as address:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=program, args=OPTIONS)
                visits = {
                    path: [await _visit(browser, address + path, selector) for _ in range(min(VISITS, scale.calls))]
                    for path, selector in CONTENT.items()
                }
                await browser.close()
    _print(console, visits)


async def _visit(browser: Browser, url: str, selector: str) -> Visit:
    """Open the page in a new browser profile, whose cache is empty."""
    context = await browser.new_context(viewport={"width": 1200, "height": 800})
    page = await context.new_page()
    await page.add_init_script(f"({WATCH})({selector!r})")
    await page.goto(url)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await page.evaluate(WAIT)
    await page.wait_for_timeout(IDLE_MS)
    figures = await page.evaluate(COUNT)
    await context.close()
    return Visit(**figures)


def _print(console: Console, visits: dict[str, list[Visit]]) -> None:
    count = len(visits["/"])
    goal = f"goal for /: chart within {GOAL_MS:,} ms, {GOAL_KILOBYTES} kB"
    table = Table(title=f"Pages on the demo data, median of {count} visits with an empty cache ({goal})")
    for name in ("page", "first content", "slowest", "requests", "kB", "long tasks", "longest", "layout shift"):
        table.add_column(name, justify="left" if name == "page" else "right")
    for path, found in visits.items():
        longest = max((max(visit.longTasks, default=0) for visit in found), default=0)
        table.add_row(
            path,
            f"{median(visit.content for visit in found):,.0f} ms",
            f"{max(visit.content for visit in found):,.0f} ms",
            f"{median(visit.requests for visit in found):g}",
            f"{median(visit.bytes for visit in found) / 1e3:,.0f}",
            f"{median(len(visit.longTasks) for visit in found):g}",
            f"{longest:,.0f} ms",
            f"{max(visit.shift for visit in found):.3f}",
        )
    console.print(table)
