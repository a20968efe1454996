"""Draw the prices of a lane as a PNG chart, with polars and matplotlib.

The data are those of `/series.parquet`. The line is the weekly average. The darker band holds the middle half of the prices
(25–75%), and the lighter one all of them. A week with fewer than three prices stays a gap.

Usage: python chart.py [ORIGIN:DESTINATION [CURRENCY]]
"""

import io
import os
import sys
from datetime import date, timedelta

import httpx
import matplotlib
import polars as pl
from matplotlib import dates, pyplot
from matplotlib.figure import Figure

URL = os.environ.get("RATESGRAPH_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("RATESGRAPH_TOKEN")
WEEKS = 52
LINE, BAND, WIDE_BAND, GRID = "#174f8f", "#9fbfe3", "#dfeaf6", "#d9d9d9"


def check(response: httpx.Response) -> httpx.Response:
    """Return the response. Exit with the code of an error."""
    if "json" in response.headers.get("Content-Type", ""):
        for error in response.json().get("errors", []):
            raise SystemExit(f"{error['extensions']['code']}: {error['message']}")
    return response.raise_for_status()


def read_series(lane: str, currency: str) -> pl.DataFrame:
    """Return one row per week, up to the last day with prices."""
    headers = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    with httpx.Client(base_url=URL, headers=headers, timeout=30) as http:
        period = check(http.post("/graphql", json={"query": "{ dataPeriod { lastDay } }"})).json()["data"]["dataPeriod"]
        if period["lastDay"] is None:
            raise SystemExit("The server has no prices yet.")
        last_day = date.fromisoformat(period["lastDay"])
        parameters = {
            "lane": lane,
            "dateFrom": str(last_day - timedelta(weeks=WEEKS - 1, days=last_day.weekday())),
            "dateTo": str(last_day),
            "interval": "WEEK",
            "currency": currency,
            "percentiles": "0,25,75,100",
        }
        return pl.read_parquet(io.BytesIO(check(http.get("/series.parquet", params=parameters)).content))


def draw(series: pl.DataFrame) -> Figure:
    """Return the chart. Lines and bands are interrupted at NaN: weeks without figures."""
    currency, origin, destination = series.select("currency", "origin", "destination").row(0)
    weeks, names = series["date_from"], ("p0", "p25", "average", "p75", "p100")
    lowest, p25, average, p75, highest = (series[name].to_numpy() for name in names)
    figure, axes = pyplot.subplots(figsize=(10, 5), layout="constrained")
    axes.fill_between(weeks, lowest, highest, color=WIDE_BAND, linewidth=0, label="lowest to highest")
    axes.fill_between(weeks, p25, p75, color=BAND, linewidth=0, label="middle half (25–75%)")
    # A dot shows a week between two gaps, which a line alone would not.
    axes.plot(weeks, average, color=LINE, linewidth=1.8, marker="o", markersize=3.5, label="average")
    axes.set_title(f"{origin} → {destination}", loc="left", fontsize=14, fontweight="bold", pad=12)
    axes.set_ylabel(f"Price by week in {currency}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(dates.AutoDateLocator()))
    axes.margins(x=0.01)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
    return figure


if __name__ == "__main__":
    matplotlib.use("Agg")  # Files only, without a window.
    lane, currency, *_ = [*sys.argv[1:], *("china_main:NLRTM", "USD")[len(sys.argv) - 1 :]]
    draw(read_series(lane, currency)).savefig("chart.png", dpi=150)
