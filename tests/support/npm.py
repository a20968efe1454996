"""Installation of npm packages for tests, into .bench/, which git ignores."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.source import ROOT

INSTALL_SECONDS = 300
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")


def install_scripts(sources: Path) -> Path:
    """Install the packages of a folder and copy its scripts next to them; return that folder.

    Node.js resolves modules relative to the folder of a script. The test is skipped if npm or its registry is missing. The
    packages remain installed until the manifests change.
    """
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    installed = ROOT / ".bench" / sources.name
    installed.mkdir(parents=True, exist_ok=True)
    with (installed / "lock").open("w") as lock:
        # Several processes of the test run may need the same packages.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install_packages(sources, installed)
        for script in sources.glob("*.mjs"):
            shutil.copy(script, installed)
    return installed


def _install_packages(sources: Path, installed: Path) -> None:
    manifests = {name: (sources / name).read_bytes() for name in MANIFESTS}
    wanted, marker = b"\n".join(manifests.values()), installed / "installed"
    if marker.exists() and marker.read_bytes() == wanted:
        return
    for name, content in manifests.items():
        (installed / name).write_bytes(content)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=installed, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install {sources.name} within {INSTALL_SECONDS} s")
    if done.returncode != 0:
        pytest.skip(f"npm could not install {sources.name}: {done.stderr[-200:]}")
    marker.write_bytes(wanted)


def run_script(folder: Path, name: str, *arguments: str) -> str:
    """Run an installed script and return its output. Fail with its standard error."""
    command = ["node", str(folder / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
