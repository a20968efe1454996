"""Runs the real `ratesgraph` command as a process."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

COMMAND = Path(sys.executable).parent / "ratesgraph"
TIMEOUT_SECONDS = 120


def environment(database_url: str | None) -> dict[str, str]:
    """Return this process's environment without settings of Ratesgraph, and with the database to use."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RATESGRAPH_", "DATABASE_URL"))}
    # A wide terminal, so that no message is broken into lines.
    kept |= {"COLUMNS": "400"}
    # Requests are counted, and refused where a test says so.
    kept |= {"RATESGRAPH_RATE_LIMIT": "1000000/minute", "RATESGRAPH_TOKEN_RATE_LIMIT": "1000000/minute"}
    return kept if database_url is None else {**kept, "DATABASE_URL": database_url}


def ratesgraph(
    database_url: str | None, *arguments: str | Path, exit_code: int = 0, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command with these settings, check its exit code, return what it printed. No command may print a traceback."""
    done = subprocess.run(
        [COMMAND, *arguments],
        env={**environment(database_url), **(settings or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done
