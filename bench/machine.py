"""Description of the machine that the benchmarks run on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psycopg
from rich.console import Console

SHOWN_SETTINGS = ("shared_buffers", "max_wal_size", "synchronous_commit", "fsync", "autovacuum")


def print_machine(console: Console, server_url: str) -> None:
    """Print cores, memory, versions and the settings that affect speed."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    with psycopg.connect(server_url) as connection:
        settings = [
            f"{name} {(connection.execute('SELECT current_setting(%s)', (name,)).fetchone() or ('?',))[0]}"
            for name in SHOWN_SETTINGS
        ]
        server = connection.info.parameter_status("server_version")
    console.print(
        f"{len(os.sched_getaffinity(0))} cores ({_processor()}), {memory:.0f} GiB, load {os.getloadavg()[0]:.1f};"
        f" PostgreSQL {server} ({', '.join(settings)});"
        f" Python {platform.python_version()}, numpy {version('numpy')}, polars {version('polars')},"
        f" psycopg {version('psycopg')}"
    )


def _processor() -> str:
    """Return the processor's name, or its architecture if the system does not report a name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
