"""What a measurement over HTTP is about and how it is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rich.console import Console
from rich.table import Table

from bench.load import Runner
from domain.prices import DateRange


@dataclass(frozen=True, slots=True)
class World:
    """A database full of prices: how many daily ones, from when, over how many days, and its URL."""

    prices: int
    first: date
    days: int
    url: str

    @property
    def name(self) -> str:
        """How many prices there are, in words."""
        return f"{self.prices / 1e6:.0f} M prices" if self.prices >= 1e6 else f"{self.prices:,} prices"

    def period(self, days: int) -> DateRange:
        """Return so many days in the middle of those that have prices."""
        first = self.first + timedelta(days=(self.days - days) // 2)
        return DateRange(first, first + timedelta(days=days - 1))


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure beside another, and the bound that their ratio is to keep."""

    name: str
    ours: str
    beside: str
    ratio: float
    bound: float
    at_least: bool

    @property
    def shown(self) -> str:
        """The ratio as it is printed."""
        return f"{self.ratio:.2f}" if self.ratio < 10 else f"{self.ratio:.0f}"

    @property
    def target(self) -> str:
        """The bound as it is printed."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"

    @property
    def is_met(self) -> bool:
        """Whether the bound is kept."""
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound


def fastest(runners: Sequence[Runner]) -> Runner:
    """Return the one that answered the most requests a second."""
    return max(runners, key=lambda runner: runner.rate)


def beside(name: str, ours: Sequence[Runner], others: Sequence[Runner], *, at_least: float) -> Goal:
    """Return how the best of ours does beside the best of the others, in requests a second."""
    best, other = fastest(ours), fastest(others)
    shown = f"{other.rate:,.0f}/s {other.name}"
    return Goal(name, f"{best.rate:,.0f}/s", shown, best.rate / other.rate, at_least, at_least=True)


def print_loads(console: Console, title: str, loads: Mapping[str, Sequence[Runner]]) -> None:
    """Print what was measured, question by question, in the order of the runners."""
    table = Table("question", "server", title=title, title_justify="left")
    for column in ("requests/s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for question, runners in loads.items():
        for runner in runners:
            cells = (f"{runner.rate:,.0f}", f"{runner.p50 * 1e3:.2f}", f"{runner.p99 * 1e3:.2f}")
            table.add_row(question, runner.name, *cells, end_section=runner is runners[-1])
    console.print(table)
