"""Locks that count the processes that use a data folder, without process IDs.

The kernel releases a lock (flock) when its process ends, however it ends. A killed process therefore never counts as a user,
and neither does the process that received its ID since.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.05
"""Interval at which a process tries again to obtain a lock that another one holds."""


class StartAbandoned(Exception):
    """The process is ending and does not need the server any more."""


class FolderUsage:
    """Locks of this process on a data folder.

    The control lock allows one process to start and stop the server. All users share the other lock.
    """

    def __init__(self, folder: Path) -> None:
        self._control = _open_lock(folder / "control.lock")
        self._users = _open_lock(folder / "users.lock")

    @contextmanager
    def control(self, abandoned: threading.Event) -> Iterator[None]:
        """Hold the right to start and stop the server for the block.

        Raise StartAbandoned if `abandoned` is set while another process holds it.
        """
        while not try_lock(self._control):
            if abandoned.wait(POLL_SECONDS):
                raise StartAbandoned
        try:
            yield
        finally:
            fcntl.flock(self._control, fcntl.LOCK_UN)

    def join(self) -> None:
        """Use the folder until the process ends. The caller holds `control()`."""
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Stop using the folder, and return whether this was the last user.

        The caller holds `control()`.
        """
        is_last = try_lock(self._users)
        fcntl.flock(self._users, fcntl.LOCK_UN)
        return is_last

    def close(self) -> None:
        """Close the files."""
        os.close(self._control)
        os.close(self._users)


def _open_lock(path: Path) -> int:
    """Open a lock file.

    If root creates it, it belongs to the owner of the folder, who must be able to open it later.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def try_lock(file: int) -> bool:
    """Lock the file exclusively unless another process has locked it, and return whether it did."""
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
