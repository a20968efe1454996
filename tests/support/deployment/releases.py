"""The previous release, as servers run it while a deployment is in progress."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.migrate import migration_names
from tests.support.code.source import PRODUCT, ROOT
from tests.support.commands.processes import environment, ratesgraph
from tests.support.faults.world import QueryCase

CREATE_CASES = """
import json, sys
from tests.support.faults.world import create_query_cases
print(json.dumps([[case.variables, case.days] for case in create_query_cases(sys.argv[1])]))
"""
MIGRATE = "import sys; from db.migrate import migrate; migrate(sys.argv[1])"
FILL_SECONDS = 120


class NoHistory(Exception):
    """The repository has no commits from before the newest migration, as in a shallow clone."""


@dataclass
class Deployment:
    """Folder of a deployment, in which the link `current` leads to the running release.

    At first this is the previous release.
    """

    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """Return the environment of its processes."""
        return {"PYTHONPATH": str(self.folder / "current")}

    def prepare(self, database_url: str) -> list[QueryCase]:
        """Migrate and fill an empty database as the previous release did. Return queries about it."""
        self._run(MIGRATE, database_url)
        return [QueryCase(*case) for case in json.loads(self._run(CREATE_CASES, database_url))]

    def migrate(self, database_url: str) -> None:
        """Run `ratesgraph migrate` of this release."""
        ratesgraph(database_url, "migrate")

    def install(self) -> None:
        """Let `current` lead to this release, in one step."""
        link = self.folder / "next"
        link.symlink_to(ROOT)
        link.replace(self.folder / "current")

    def _run(self, script: str, database_url: str) -> str:
        # In a folder without packages: Python looks for them in the current one first.
        done = subprocess.run(
            [sys.executable, "-c", script, database_url],
            cwd=self.folder,
            env={**environment(database_url), **self.settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=FILL_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def open_deployment(folder: Path) -> Deployment:
    """Write the previous release into the folder.

    It is the last commit without the newest migration. Raise NoHistory if the repository does not know it.
    """
    newest = f"db/migrations/{migration_names()[-1]}.sql"
    commit = _git("log", "--diff-filter=A", "--max-count=1", "--format=%H", "--", newest).decode().strip()
    # The product alone: the helpers of these tests fill its database.
    release = extract(f"{commit}^" if commit else "HEAD", PRODUCT, folder / "before")
    assert not (release / newest).exists()
    (folder / "current").symlink_to(release)
    return Deployment(folder)


def require_deployment(folder: Path) -> Deployment:
    """Write the previous release into the folder.

    Skip the test if the repository does not know it.
    """
    try:
        return open_deployment(folder)
    except NoHistory as error:
        pytest.skip(f"the previous release is unknown: {error}")


def extract(commit: str, folders: Iterable[str], target: Path) -> Path:
    """Write these folders of a commit into the target, and return it. Raise NoHistory."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit, "--", *folders))) as file:
        file.extractall(target, filter="data")
    return target


def _git(*arguments: str) -> bytes:
    # A hook of git sets variables that would select another repository.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, env=variables, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise NoHistory("git is not installed") from error
    if done.returncode != 0:
        raise NoHistory(done.stderr.decode(errors="replace").strip().splitlines()[-1])
    return done.stdout
