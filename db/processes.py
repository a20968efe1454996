"""Which processes of this machine are there: those that use the embedded server, and those that have left figures behind."""

import os


def process_exists(pid: int) -> bool:
    """Return whether there is a process of this id, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
