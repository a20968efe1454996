"""Process checks for the embedded server's users and for processes that left metrics behind."""

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
