"""Temporary folders in memory."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108
MIN_FREE_BYTES = 8 * 1024**3


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a temporary folder for a database, in memory if there is enough room.

    A database is cloned in 10 ms there, and in 200 ms on a disk. A crashed server recovers without a wait for the disk.
    pytest's folder is unsuitable: another session may delete it, and its path may be too long for a socket.
    """
    has_room = MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free >= MIN_FREE_BYTES
    with TemporaryDirectory(prefix="ratesgraph-", dir=MEMORY_FOLDER if has_room else None) as folder:
        # The account of a server that root starts may pass through it, as programs such as pg_ctl require.
        Path(folder).chmod(0o711)
        yield Path(folder)
