"""CLI: `python -m bench [ingest|reads|…|moves|verify] [--quick] [--no-peers]`."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial

from rich.console import Console

from bench.data.database import bench_server
from bench.http.comparison import bench_http
from bench.ingest.batches import bench_ingest
from bench.ingest.tree_changes import bench_tree_changes
from bench.machine import print_machine
from bench.messages.throughput import bench_messages
from bench.pages.first_content import bench_pages
from bench.reads.averages import bench_reads
from bench.reads.billion import bench_billion
from bench.reads.verification import bench_verify
from bench.scale import FULL, QUICK, Scale, make_console
from bench.statistics.comparison import bench_statistics
from bench.uploads.mutation_uploads import bench_uploads

Measure = Callable[[Console, str, Scale], Coroutine[None, None, None]]
SUBJECTS: dict[str, Measure] = {
    "ingest": bench_ingest,
    "reads": bench_reads,
    "statistics": bench_statistics,
    "uploads": bench_uploads,
    "http": bench_http,
    "pages": bench_pages,
}
LONG = {"billion": bench_billion, "messages": bench_messages, "moves": bench_tree_changes, "verify": bench_verify}
"""Benchmarks that run only when named, on a server with autovacuum."""


WITH_PEERS = {"http": bench_http, "statistics": bench_statistics}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the named benchmark, by default all SUBJECTS, and print the results.

    Low speed is never an error.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run the benchmarks (about twenty minutes).")
    parser.add_argument(
        "subject",
        nargs="?",
        choices=[*SUBJECTS, *LONG],
        help="run only this benchmark (default: all short ones)",
    )
    parser.add_argument("--quick", action="store_true", help="smoke test: one round with sizes divided by 50")
    parser.add_argument(
        "--no-peers", action="store_true", help="skip the peers that npm installs (http and statistics)"
    )
    options = parser.parse_args(argv)
    console, scale = make_console(), QUICK if options.quick else FULL
    peers = {name: partial(measure, with_peers=not options.no_peers) for name, measure in WITH_PEERS.items()}
    measures: dict[str, Measure] = {**SUBJECTS, **LONG, **peers}
    # SIGTERM unwinds like Ctrl-C, so that every started server is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated before the end."))
    start = time.perf_counter()
    with bench_server(autovacuum=options.subject in LONG) as url:
        print_machine(console, url)
        for subject in SUBJECTS if options.subject is None else [options.subject]:
            asyncio.run(measures[subject](console, url, scale))
    console.print(f"Total time {time.perf_counter() - start:.0f} s, load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
