"""Free space on the disk of the embedded PostgreSQL, and the reserve that changes leave.

A full disk is worse than a refused upload: PostgreSQL cannot write its WAL, shuts down and cannot recover.
"""

import errno
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from db.embedded.cluster import cluster_in

log = logging.getLogger("ratesgraph.db")

FULL = {errno.ENOSPC, errno.EDQUOT}
FULL_TEXTS = [os.strerror(number) for number in FULL]
KERNEL_RESOURCES = re.compile("shared memory|semaphore")
WAL_SEGMENT_BYTES = 16 * 1024 * 1024
"""PostgreSQL needs at least one more file of its log (WAL) to start. With less room it cannot even log the reason."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """Free bytes on the disk, and the larger number that the work requires."""

    free_bytes: int
    required_bytes: int

    @property
    def details(self) -> dict[str, int]:
        """Both numbers, for the extensions of an error."""
        return {"freeBytes": self.free_bytes, "requiredBytes": self.required_bytes}

    def __str__(self) -> str:
        """Return the message for a client."""
        return (
            f"The server's disk is full: {self.free_bytes:,} bytes are free, and this change requires"
            f" {self.required_bytes:,}. Retry when the operator has freed disk space."
        )


class DiskSpace:
    """Guard of the disk with the data: keeps `min_free_bytes` free for PostgreSQL itself."""

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._is_short = False

    def find_shortage(self, size: int = 0) -> Shortage | None:
        """Return the shortage that would remain after `size` more bytes, or None.

        Log when it begins and ends. The call takes 3 µs (`statvfs`), so it may be made for each part of an upload.
        """
        try:
            free, required = free_bytes(self._folder), self._min_free_bytes + size
        except OSError:
            # The folder is gone or not mounted, which the database itself reports.
            return None
        is_short = free < self._min_free_bytes
        if is_short is not self._is_short:
            self._is_short = is_short
            if is_short:
                log.error("disk is full", extra=self._fields(free))
            else:
                log.warning("disk has room again", extra=self._fields(free))
        return Shortage(free, required) if free < required else None

    def _fields(self, free: int) -> dict[str, int]:
        return {"free_bytes": free, "min_free_bytes": self._min_free_bytes}


def open_disk_space(data_dir: Path, database_url: str, min_free_bytes: int) -> DiskSpace | None:
    """Return the guard of the embedded server's disk, or None if the URL names another database."""
    cluster = cluster_in(data_dir)
    if not (cluster.exists() and cluster.url == database_url):
        return None
    return DiskSpace(cluster.data, min_free_bytes)


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of the folder, without those reserved for root."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def describe_full_disk(folder: Path, error: Exception) -> str | None:
    """Return the reason if a start failed on a full disk or an exhausted quota, or None."""
    try:
        # `Path.exists` would raise errors, such as that of a name that is too long.
        free = free_bytes(next(path for path in (folder, *folder.parents) if os.path.exists(path)))  # noqa: PTH110
    except OSError:
        return None
    if isinstance(error, OSError):
        is_full = error.errno in FULL
    else:
        # The kernel uses the same text if it has no more shared memory or semaphores.
        is_named = any(text in str(error) for text in FULL_TEXTS) and not KERNEL_RESOURCES.search(str(error))
        is_full = free < WAL_SEGMENT_BYTES or is_named
    if is_full:
        return f"the disk is full ({free:,} bytes free)"
    return None
