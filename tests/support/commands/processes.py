"""The `ratesgraph` command as a process."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

COMMAND = Path(sys.executable).parent / "ratesgraph"
TIMEOUT_SECONDS = 300


def environment(database_url: str | None) -> dict[str, str]:
    """Return this process's environment with the database as its only product setting."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("RATESGRAPH_", "DATABASE_URL"))
    }
    # A wide terminal, so that no message is wrapped.
    variables |= {"COLUMNS": "400"}
    # High limits: requests are counted, but only dedicated tests reach a limit.
    variables |= {"RATESGRAPH_RATE_LIMIT": "1000000/minute", "RATESGRAPH_TOKEN_RATE_LIMIT": "1000000/minute"}
    return variables if database_url is None else {**variables, "DATABASE_URL": database_url}


def open_files(pid: int) -> set[str]:
    """Return the names of a process's open files, such as `socket:[1]`.

    Those that it closes meanwhile are left out.
    """
    names = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            names.add(str(file.readlink()))
    return names


def ratesgraph(
    database_url: str | None, *arguments: str | Path, exit_code: int = 0, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command with these settings; check its exit code and the absence of a traceback."""
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
