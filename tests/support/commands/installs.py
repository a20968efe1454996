"""Installation of packages that tests run as programs, into .bench/, which git ignores."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.code.source import ROOT

INSTALL_SECONDS = 600
RUN_SECONDS = 300


def install_once(sources: Path, name: str, manifests: Sequence[str], *commands: Sequence[str]) -> Path:
    """Copy a folder into .bench/ and run the commands in the copy; return the copy.

    The commands run once, and again after a manifest has changed. The test is skipped if one of them fails, as it does without
    a connection to the registry.
    """
    folder = ROOT / ".bench" / name
    folder.mkdir(parents=True, exist_ok=True)
    wanted, marker = b"\n".join((sources / manifest).read_bytes() for manifest in manifests), folder / "installed"
    with (folder / "lock").open("w") as lock:
        # Several processes of the test run may need the same packages.
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copytree(sources, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        if not marker.exists() or marker.read_bytes() != wanted:
            for command in commands:
                _install(folder, command)
            marker.write_bytes(wanted)
    return folder


def install_python(sources: Path, name: str, pins: str) -> Path:
    """Copy a folder into .bench/ and install pinned packages into its `.venv`; return it."""
    uv = (sys.executable, "-m", "uv")
    create = (*uv, "venv", "--quiet", "--clear", "--python", sys.executable, ".venv")
    install = (*uv, "pip", "install", "--quiet", "--python", ".venv/bin/python", "--requirement", pins)
    return install_once(sources, name, [pins], create, install)


def _install(folder: Path, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{folder.name} could not be installed within {INSTALL_SECONDS} s")
    if done.returncode != 0:
        pytest.skip(f"{folder.name} could not be installed: {done.stderr[-200:]}")


def run_command(folder: Path, *command: str, settings: Mapping[str, str] | None = None) -> str:
    """Run a command in the folder and return its output. Fail with what it printed."""
    done = try_command(folder, *command, settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def try_command(
    folder: Path, *command: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder, which may fail. `settings` are added to its environment."""
    environment = os.environ | (settings or {})
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
