"""Reasons of a failed start of the embedded PostgreSQL, as texts for its user."""

import os
import pwd
import re
from pathlib import Path

from domain.paths import escape, printable

SHOWN_LINES = 5
MAX_SHOWN_LENGTH = 1_000
LOG_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] ")
"""Time and process ID at the start of a line of the server's log."""
NOISE = re.compile(
    # Answers to clients that connect too early, and the clean-up of initdb.
    r"the database system is (starting up|not yet accepting)|^initdb: (removing|data directory .* not removed)"
)


def last_lines(output: bytes) -> str:
    """Return the last lines of a program's output as one line, without a final period."""
    lines = [
        LOG_PREFIX.sub("", " ".join(line.split())) for line in output.decode(errors="backslashreplace").splitlines()
    ]
    shown = [line for line in lines if line and not NOISE.search(line)][-SHOWN_LINES:]
    return escape("; ".join(line.rstrip(".") for line in shown)[-MAX_SHOWN_LENGTH:])


def describe_os_error(error: OSError) -> str:
    """Return the system's message with the path.

    It names the file that stands in the place of a folder, and the owner of what may not be opened.
    """
    reason = error.strerror or type(error).__name__
    if not isinstance(error.filename, str | bytes):
        return reason
    path = Path(os.fsdecode(error.filename))
    if isinstance(error, FileExistsError | NotADirectoryError):
        file = next((each for each in (path, *path.parents) if each.is_file()), path)
        return f"{printable(file)} is not a folder"
    described = f"{reason}: {printable(path)}"
    if isinstance(error, PermissionError) and (owner := _find_owner(path)) is not None:
        described += f" ({owner})"
    return described


def _find_owner(path: Path) -> str | None:
    """Return a clause with the owner of the file, or of the nearest visible folder above it."""
    for each in (path, *path.parents):
        try:
            uid = each.lstat().st_uid
        except OSError:
            continue
        if uid == os.geteuid():
            return None
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = f"with the ID {uid}"
        return f"{'it' if each == path else printable(each)} belongs to the user {name}"
    return None
