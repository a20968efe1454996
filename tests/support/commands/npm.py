"""Packages of npm and scripts of Node.js that tests run."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.commands.installs import install_once, run_command

MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def install_scripts(sources: Path) -> Path:
    """Install the packages of a folder and copy its scripts next to them; return that folder.

    Node.js resolves modules relative to the folder of a script. The test is skipped if npm or its registry is missing.
    """
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    return install_once(sources, sources.name, MANIFESTS, INSTALL)


def run_script(folder: Path, name: str, *arguments: str, settings: Mapping[str, str] | None = None) -> str:
    """Run an installed script and return its output. Fail with its standard error."""
    return run_command(folder, "node", name, *arguments, settings=settings)


def run_tool(folder: Path, name: str, *arguments: str) -> str:
    """Run a command of an installed package and return its output. Fail with what it printed."""
    return run_command(folder, str(folder / "node_modules" / ".bin" / name), *arguments)
