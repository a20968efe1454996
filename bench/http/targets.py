"""Subjects and targets of the HTTP benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rich.console import Console
from rich.table import Table

from bench.http.load import Runner
from domain.prices import DateRange


@dataclass(frozen=True, slots=True)
class World:
    """Database with prices: number of daily prices, first day, number of days, and URL."""

    prices: int
    first: date
    days: int
    url: str

    @property
    def name(self) -> str:
        """Return the number of prices in words."""
        return f"{self.prices / 1e6:.0f} M prices" if self.prices >= 1e6 else f"{self.prices:,} prices"

    def period(self, days: int) -> DateRange:
        """Return a range of `days` in the middle of the history."""
        first = self.first + timedelta(days=(self.days - days) // 2)
        return DateRange(first, first + timedelta(days=days - 1))


@dataclass(frozen=True, slots=True)
class Goal:
    """Target: a result, its baseline, and the bound of their ratio."""

    name: str
    result: str
    baseline: str
    ratio: float
    bound: float
    at_least: bool

    @property
    def shown(self) -> str:
        """Return the formatted ratio."""
        return f"{self.ratio:.2f}" if self.ratio < 10 else f"{self.ratio:.0f}"

    @property
    def target(self) -> str:
        """Return the formatted bound."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"

    @property
    def is_met(self) -> bool:
        """Return whether the ratio satisfies the bound."""
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound


def fastest(runners: Sequence[Runner]) -> Runner:
    """Return the runner with the most requests per second."""
    return max(runners, key=lambda runner: runner.rate)


def compare_rates(name: str, candidates: Sequence[Runner], peers: Sequence[Runner], *, at_least: float) -> Goal:
    """Compare the fastest Ratesgraph server with the fastest peer, in requests per second."""
    best, peer = fastest(candidates), fastest(peers)
    shown = f"{peer.rate:,.0f}/s {peer.name}"
    return Goal(name, f"{best.rate:,.0f}/s", shown, best.rate / peer.rate, at_least, at_least=True)


def compare_latencies(name: str, runner: Runner, base: Runner, limit: float) -> Goal:
    """Compare the median latencies of two runners."""
    result, baseline = (f"{each.p50 * 1e3:.2f} ms" for each in (runner, base))
    return Goal(name, result, baseline, runner.p50 / base.p50, limit, at_least=False)


def print_loads(console: Console, title: str, loads: Mapping[str, Sequence[Runner]]) -> None:
    """Print the measurements by query, in the order of the runners."""
    table = Table("query", "server", title=title, title_justify="left")
    for column in ("requests/s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for query, runners in loads.items():
        for runner in runners:
            cells = (f"{runner.rate:,.0f}", f"{runner.p50 * 1e3:.2f}", f"{runner.p99 * 1e3:.2f}")
            table.add_row(query, runner.name, *cells, end_section=runner is runners[-1])
    console.print(table)
