"""`python -m bench [ingest|reads|uploads|http|billion] [--quick] [--no-peers]`."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial

from rich.console import Console

from bench.batches import bench_ingest
from bench.billion import bench_billion
from bench.database import bench_server
from bench.http import bench_http
from bench.machine import print_machine
from bench.reads import bench_reads
from bench.scale import FULL, QUICK, Scale, make_console
from bench.uploads import bench_uploads

Measure = Callable[[Console, str, Scale], Coroutine[None, None, None]]
SUBJECTS: dict[str, Measure] = {
    "ingest": bench_ingest,
    "reads": bench_reads,
    "uploads": bench_uploads,
    "http": bench_http,
}
LONG = {"billion": bench_billion}
"""Measured only when asked for by name, on a server that vacuums by itself."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is asked for, by default all SUBJECTS, and print it. Speed is never an error."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure; about twenty minutes.")
    parser.add_argument("subject", nargs="?", choices=[*SUBJECTS, *LONG], help="only this; all but billion by default")
    parser.add_argument("--quick", action="store_true", help="sizes divided by 50, once: to see that it runs")
    parser.add_argument("--no-peers", action="store_true", help="over HTTP, leave out the peers that npm installs")
    options = parser.parse_args(argv)
    console, scale = make_console(), QUICK if options.quick else FULL
    measures: dict[str, Measure] = {**SUBJECTS, **LONG, "http": partial(bench_http, with_peers=not options.no_peers)}
    # A polite end unwinds as Ctrl-C does, so that every server that was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated before the end."))
    start = time.perf_counter()
    with bench_server(autovacuum=options.subject in LONG) as url:
        print_machine(console, url)
        for subject in SUBJECTS if options.subject is None else [options.subject]:
            asyncio.run(measures[subject](console, url, scale))
    console.print(f"{time.perf_counter() - start:.0f} s in all, load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
