"""A disk of a few megabytes that tests can fill."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


class SmallDisk:
    """File system in memory, filled with a single file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Fill the disk up to the number of bytes."""
        # Other processes write at the same time, so the room may be gone before this process uses it.
        with self._ballast.open("ab") as file, suppress(OSError):
            if (missing := self.free_bytes - leave) > 0:
                os.posix_fallocate(file.fileno(), file.tell(), missing)

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(megabytes: int, flags: str = "rw") -> Iterator[SmallDisk]:
    """Mount a small disk for the block, with flags of `mount`.

    Skip the test where this is not allowed.
    """
    with TemporaryDirectory(prefix="ratesgraph-") as folder:
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=755,{flags}", "tmpfs", folder]
        mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"a small disk needs the right to mount: {mounted.stderr.strip()}")
        try:
            yield SmallDisk(Path(folder))
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
