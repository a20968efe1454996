"""Texts of the pages: the commands that they name exist."""

import re

from tests.support.code.source import ROOT

COMMAND = re.compile(r"“(ratesgraph [a-z ]+)”")
HEADING = re.compile(r"^## (ratesgraph .+)$", re.MULTILINE)


def test_texts_of_pages_name_existing_commands() -> None:
    # Another test compares this reference with the code.
    reference = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    commands = {
        command: path
        for path in ROOT.glob("explorer/src/**/texts.ts")
        for command in COMMAND.findall(path.read_text("utf-8"))
    }
    assert len(commands) >= 3
    assert {command: path for command, path in commands.items() if command not in HEADING.findall(reference)} == {}
