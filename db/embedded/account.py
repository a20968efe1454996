"""System account of the embedded PostgreSQL, which refuses to run as root."""

import errno
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.embedded.failures import last_lines
from db.errors import EmbeddedServerError

SYSTEM_USER = "pgserver"
"""Account that owns a new database if the command runs as root."""
SBIN = "/usr/sbin:/sbin"
"""Folders of the administrator's programs, which the PATH of root may lack, as after `su`."""
READ = 0o4
EXECUTE = 0o1
"""Permission to run a program, or to pass through a folder."""


@dataclass(frozen=True, slots=True)
class Account:
    """Account other than that of this process, which is root."""

    uid: int
    gid: int

    @property
    def process_options(self) -> dict[str, Any]:
        """Options of `subprocess` that run a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Make the account the owner of a file.

        Raise EmbeddedServerError in a user namespace that maps root alone, as a sandbox or `unshare` creates it.
        """
        try:
            os.chown(path, self.uid, self.gid)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise EmbeddedServerError(
                "The embedded PostgreSQL does not run as root, and this user namespace has no other user. Run the command"
                " outside of it, or set DATABASE_URL."
            ) from error

    def has_permissions(self, path: Path, permissions: int) -> bool:
        """Return whether the mode of the file grants READ, EXECUTE or both to the account."""
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid == self.gid else 0
        return found.st_mode >> shift & permissions == permissions

    def can_reach(self, path: Path) -> bool:
        """Return whether the account may pass through all folders above the absolute path."""
        return all(self.has_permissions(parent, EXECUTE) for parent in path.parents)


def find_account(data: Path) -> Account | None:
    """Return the account that runs the server, or None if it is that of this process.

    As root, that is the owner of an existing data folder, otherwise SYSTEM_USER, which is created if it does not exist.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (found := data.stat()).st_uid != 0:
        return Account(found.st_uid, found.st_gid)
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        failure = _create_system_user()
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL does not run as root, and its account {SYSTEM_USER} could not be created: {failure}."
                f" Create the account, run the command as another user, or set DATABASE_URL."
            ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def has_name(uid: int) -> bool:
    """Return whether the user ID has a name. In a container that runs with any ID it has none."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _create_system_user() -> str:
    """Try to create the account, and return the reason if this fails."""
    program = shutil.which("useradd", path=os.pathsep.join([os.environ.get("PATH", os.defpath), SBIN]))
    if program is None:
        return "the program useradd is missing"
    command = [program, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
    return last_lines(done.stderr) or f"useradd ended with code {done.returncode}"
