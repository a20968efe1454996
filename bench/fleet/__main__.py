"""CLI: `python -m bench.fleet [--hours H] [--seed S]`, also `make simulate`."""

import argparse
from collections.abc import Sequence
from statistics import quantiles

from rich.table import Table

from bench.fleet.load import BATCHES_PER_SECOND, PEAK_FACTOR, PEAK_SECONDS, Batch, generate_load
from bench.fleet.scaling import BATCHES_PER_WORKER, WORK_PER_WORKER, Autoscaler, by_count, by_work
from bench.fleet.simulation import DATABASE_CORES, START_SECONDS, Outcome, Simulation
from bench.scale import make_console

FIXED = (1, 2, 4, 8)
MAX_WORKERS = 8


def main(argv: Sequence[str] | None = None) -> None:
    """Print the delays of batches for fixed and scaled numbers of workers."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description="Simulate workers under sporadic load.")
    parser.add_argument("--hours", type=float, default=8, help="simulated hours (default: 8)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the load (default: 1)")
    options = parser.parse_args(argv)
    load = generate_load(options.hours, options.seed)
    work = sum(batch.work for batch in load)
    console = make_console()
    console.print(
        f"{len(load):,} batches in {options.hours:g} hours: {BATCHES_PER_SECOND:g} per second, {PEAK_FACTOR} times as many"
        f" in peaks of {PEAK_SECONDS / 60:g} minutes.\nThey are {work / 3600:.1f} hours of work for one worker. A worker"
        f" starts within {START_SECONDS:g} s. The database has {DATABASE_CORES} cores.\n"
    )
    table = Table("workers", "median, s", "95 %, s", "99 %, s", "longest, s", "peak workers", "worker hours")
    for name, outcome in _simulate_all(load):
        cuts = quantiles(outcome.delays, n=100)
        table.add_row(
            name,
            *(f"{value:,.2f}" for value in (cuts[49], cuts[94], cuts[98], max(outcome.delays))),
            str(outcome.peak_workers),
            f"{outcome.worker_seconds / 3600:,.1f}",
        )
    console.print(table)
    console.print("Seconds are from the arrival of a batch until it is applied.")


def _simulate_all(load: Sequence[Batch]) -> list[tuple[str, Outcome]]:
    fixed = [(f"always {count}", Simulation(count).run(load)) for count in FIXED]
    rules = {
        f"1 to {MAX_WORKERS}, one for {WORK_PER_WORKER:g} s of work": by_work,
        f"1 to {MAX_WORKERS}, one for {BATCHES_PER_WORKER} batches": by_count,
    }
    scaled = [(name, Simulation(1, Autoscaler(rule, 1, MAX_WORKERS)).run(load)) for name, rule in rules.items()]
    return fixed + scaled


if __name__ == "__main__":
    main()
