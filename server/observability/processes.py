"""Check for running processes, which finds the metrics files of processes that have ended."""

import os


def process_exists(pid: int) -> bool:
    """Return whether a process with this ID exists, under any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
