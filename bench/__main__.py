"""`python -m bench [ingest|reads|uploads|http] [--quick] [--no-peers]`."""

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from functools import partial

from bench.batches import bench_ingest
from bench.database import bench_server
from bench.http import bench_http
from bench.machine import print_machine
from bench.reads import bench_reads
from bench.scale import FULL, QUICK, make_console
from bench.uploads import bench_uploads

SUBJECTS = {"ingest": bench_ingest, "reads": bench_reads, "uploads": bench_uploads, "http": bench_http}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is asked for, by default everything, and print it. Speed is never an error."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure; about twenty minutes.")
    parser.add_argument("subject", nargs="?", choices=SUBJECTS, help="only this; all by default")
    parser.add_argument("--quick", action="store_true", help="sizes divided by 50, once: to see that it runs")
    parser.add_argument("--no-peers", action="store_true", help="over HTTP, leave out the peers that npm installs")
    options = parser.parse_args(argv)
    console, scale = make_console(), QUICK if options.quick else FULL
    subjects = SUBJECTS | {"http": partial(bench_http, with_peers=not options.no_peers)}
    start = time.perf_counter()
    with bench_server() as url:
        print_machine(console, url)
        for subject, measure in subjects.items():
            if options.subject in {None, subject}:
                asyncio.run(measure(console, url, scale))
    console.print(f"{time.perf_counter() - start:.0f} s in all, load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
