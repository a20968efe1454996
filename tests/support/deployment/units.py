"""Units of systemd in `deploy/systemd`, as a test runs them without systemd."""

import re
import shlex
import subprocess
from pathlib import Path

from tests.support.commands.processes import COMMAND, environment
from tests.support.deployment.files import DEPLOY, require_program

FOLDER = DEPLOY / "systemd"
INSTALLED = "/opt/ratesgraph/bin/ratesgraph"
"""The command in the units, which a test replaces by its own."""


def verify_units(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `systemd-analyze verify` on the units, with the command of this environment."""
    program, names = require_program("systemd-analyze"), sorted(path.name for path in FOLDER.glob("*.service"))
    for name in names:
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert text.count(INSTALLED) == 1
        # A worker is a template, of which one instance is verified.
        (folder / name.replace("@.", "@1.")).write_text(text.replace(INSTALLED, str(COMMAND)), encoding="utf-8")
    files = sorted(str(path) for path in folder.glob("*.service"))
    command = [program, "verify", "--man=no", "--recursive-errors=no", *files]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def read_command(unit: str, setting: str = "ExecStart") -> list[str]:
    """Return a command of a unit, with the program of this environment."""
    text = (FOLDER / unit).read_text(encoding="utf-8")
    [line] = re.findall(rf"^{setting}=(.+)$", text, re.MULTILINE)
    return shlex.split(line.replace(INSTALLED, str(COMMAND)))


def read_environment(database_url: str, **settings: str) -> dict[str, str]:
    """Return the variables of the example file, with these settings of the test."""
    lines = (FOLDER / "ratesgraph.env").read_text(encoding="utf-8").splitlines()
    variables = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert {"DATABASE_URL", "PGPASSWORD", "RATESGRAPH_WORKERS"} <= variables.keys()
    assert settings.keys() <= variables.keys()
    return {**environment(None), **variables, **settings, "DATABASE_URL": database_url}
