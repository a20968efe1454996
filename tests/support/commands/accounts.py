"""Embedded servers of other accounts and on other machines, for tests that run as root."""

import os
import pwd
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from db.embedded.programs import installed_programs
from tests.support.code.source import ROOT
from tests.support.commands.processes import TIMEOUT_SECONDS, environment
from tests.support.http.server_process import one_line

PACKAGES = installed_programs().parents[2]
SCRIPT = """
import sys
from pathlib import Path
from db.embedded.supervisor import embedded_server
from db.errors import EmbeddedServerError
try:
    with embedded_server(Path(sys.argv[1])):
        pass
except EmbeddedServerError as error:
    sys.exit(str(error))
"""
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


def require_root() -> None:
    """Skip the test unless it runs as root."""
    if os.geteuid() != 0:
        pytest.skip("only root can run commands as another account")


def find_account(name: str) -> pwd.struct_passwd:
    """Return an account of the machine.

    Skip the test if there is none, or if this process is not root.
    """
    require_root()
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pytest.skip(f"this machine has no account {name}")


@cache
def _find_interpreter(uid: int) -> str | None:
    """Return a Python interpreter that the user may run with the packages of this one."""
    for python in (sys.executable, f"/usr/bin/{VERSION}", f"/usr/local/bin/{VERSION}"):
        try:
            done = subprocess.run(
                [python, "-c", "import db.embedded.supervisor"],
                env=_environment(),
                user=uid,
                group=uid,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


def _environment() -> dict[str, str]:
    packages = os.pathsep.join([str(ROOT), str(PACKAGES)])
    return {**environment(None), "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}


def start_as(uid: int, data_dir: Path) -> subprocess.Popen[str]:
    """Start a process of the user that starts the server in the folder and stops it.

    Skip the test if the user cannot run Python with the packages of this project.
    """
    require_root()
    python = _find_interpreter(uid)
    if python is None:
        pytest.skip(f"user {uid} cannot run Python with the packages of this project")
    return subprocess.Popen(
        [python, "-c", SCRIPT, data_dir],
        env=_environment(),
        cwd="/",
        user=uid,
        group=uid,
        extra_groups=[],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_as(uid: int, data_dir: Path) -> str | None:
    """Start and stop the server in the folder as the user.

    Return the message of EmbeddedServerError, or None.
    """
    with start_as(uid, data_dir) as process:
        return message_of(process)


def message_of(process: subprocess.Popen[str]) -> str | None:
    """Wait for the end of the process; return the message of EmbeddedServerError, or None."""
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode in {0, 1}
    assert "Traceback" not in errors, errors
    return one_line(errors) if process.returncode else None


def run_on(preparation: str, data_dir: Path, packages: Path = PACKAGES, namespace: str = "--mount") -> str | None:
    """Start and stop the server in the folder as root, on a machine that differs.

    A shell runs `preparation` in a namespace of its own. Return the message of EmbeddedServerError, or None. Skip the test
    where a namespace is not allowed.
    """
    require_root()
    unshare = ["unshare", namespace]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a namespace of mounts is not allowed here")
    return run_with(packages, data_dir, *unshare, "sh", "-ec", f'{preparation}\nexec "$@"', "sh")


def run_with(packages: Path, data_dir: Path, *command: str) -> str | None:
    """Start and stop the server in the folder, with packages of that folder before all others.

    `command` runs the interpreter. Return the message of EmbeddedServerError, or None.
    """
    variables = _environment()
    variables["PYTHONPATH"] = os.pathsep.join([str(packages), variables["PYTHONPATH"]])
    arguments = [*command, sys.executable, "-c", SCRIPT, str(data_dir)]
    with subprocess.Popen(arguments, env=variables, stderr=subprocess.PIPE, text=True) as process:
        return message_of(process)
