"""`bench ingest`: a complete apply, compared with a bare COPY of the same observations.

Both run against the same table in the same run.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.data.database import apply_csv, clear_prices, open_world, read_figure
from bench.data.world import Shape, make_csv
from bench.ingest.copy_baseline import copy_binary, copy_text, observe, write_sorted_binary, write_text
from bench.ingest.stages import measure_stages
from bench.scale import Scale, time_call
from db.connection import Connection

START = date(2025, 1, 1)
MONTH, TWO_YEARS = 30, 730
BATCHES = (
    Shape(10_000, 1, START, MONTH),
    Shape(50_000, 30, START, MONTH),
    Shape(1_000_000, 1, START, MONTH),
    Shape(1_000_000, 30, START, MONTH),
    Shape(1_000_000, 1, START, TWO_YEARS),
)
STAGED = (BATCHES[2], BATCHES[1], BATCHES[4])
SIZES = (
    "SELECT count(*) FROM price_totals",
    "SELECT pg_total_relation_size('prices')",
    "SELECT pg_total_relation_size('price_totals')",
    "SELECT pg_total_relation_size('price_sketches')",
)
TARGET = 2.0
"""Target ratio of a complete apply to the bare COPY."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Row of the result table; times are medians in seconds."""

    shape: Shape
    apply: float
    text: float
    binary: float
    total_rows: int
    csv_mb: float
    prices_mb: float
    totals_mb: float
    sketches_mb: float


async def bench_ingest(console: Console, server_url: str, scale: Scale) -> None:
    """Measure the BATCHES and print the comparison, then the stages of some of them."""
    async with open_world(server_url, "bench_ingest") as connection:
        outcomes = []
        for full in BATCHES:
            shape = replace(full, items=scale.size(full.items))
            with console.status(_name(shape)):
                outcomes.append(await _measure(connection, shape, scale.rounds))
        console.print(
            f"\nComplete apply (bytes to commit) vs bare COPY into the same indexed table, medians of {scale.rounds}"
            f"\n(target: at most {TARGET:g}× COPY in input order)"
        )
        console.print(_table(outcomes))
        stages = {}
        for full in STAGED:
            shape = replace(full, items=scale.size(full.items))
            with console.status(f"stages of {_name(shape)}"):
                stages[_name(shape)] = await measure_stages(connection, make_csv(shape), scale.rounds)
    console.print(
        f"\nStages of a batch in seconds, each measured alone, medians of {scale.rounds}; a real apply overlaps some"
    )
    console.print(_stage_table(stages))


async def _measure(connection: Connection, shape: Shape, rounds: int) -> Outcome:
    data = make_csv(shape)
    observations = await observe(connection, data)
    text, binary = write_text(observations), await write_sorted_binary(observations)
    del observations
    rivals: dict[str, Callable[[], Awaitable[object]]] = {
        "text": lambda: copy_text(connection, text),
        "binary": lambda: copy_binary(connection, binary),
        "apply": lambda: apply_csv(connection, data),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    sizes = [0] * len(SIZES)
    for number in range(rounds):
        # The first one may pay for the remains of the previous round, so the order rotates.
        first = number % len(rivals)
        for name in [*rivals][first:] + [*rivals][:first]:
            await clear_prices(connection)
            seconds[name].append(await time_call(rivals[name]))
            stored = await read_figure(connection, "SELECT count(*) FROM prices")
            assert stored == shape.items, f"{name} stored {stored} of {shape.items} prices"
            if name == "apply":
                sizes = [await read_figure(connection, query) for query in SIZES]
    medians = {name: median(values) for name, values in seconds.items()}
    rows, prices_bytes, totals_bytes, sketches_bytes = sizes
    return Outcome(
        shape,
        medians["apply"],
        medians["text"],
        medians["binary"],
        rows,
        len(data) / 1e6,
        prices_bytes / 1e6,
        totals_bytes / 1e6,
        sketches_bytes / 1e6,
    )


def _name(shape: Shape) -> str:
    days = "1 day" if shape.days == 1 else f"{shape.days} days"
    return f"{shape.items:,} × {days}" + (", 24 months" if shape.span == TWO_YEARS else "")


def _table(outcomes: list[Outcome]) -> Table:
    table = Table()
    table.add_column("batch")
    columns = ("apply s", "COPY input\norder s", "ratio", "COPY sorted\nbinary s", "ratio", "total\nrows",
               "CSV MB", "prices MB", "totals MB", "sketches\nMB")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    for outcome in outcomes:
        table.add_row(
            _name(outcome.shape),
            f"{outcome.apply:.2f}",
            f"{outcome.text:.2f}",
            f"{outcome.apply / outcome.text:.2f}",
            f"{outcome.binary:.2f}",
            f"{outcome.apply / outcome.binary:.2f}",
            f"{outcome.total_rows:,}",
            *(f"{size:.1f}" for size in (outcome.csv_mb, outcome.prices_mb, outcome.totals_mb, outcome.sketches_mb)),
        )
    return table


def _stage_table(stages: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table()
    table.add_column("stage")
    for name in stages:
        table.add_column(name, justify="right")
    for stage in next(iter(stages.values())):
        table.add_row(stage, *(f"{seconds[stage]:.3f}" for seconds in stages.values()))
    table.add_section()
    table.add_row("sum", *(f"{sum(seconds.values()):.3f}" for seconds in stages.values()))
    return table
