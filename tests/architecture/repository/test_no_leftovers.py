"""Guard against to-do comments, machine paths and generic names.

Open work belongs in a decision record.
"""

import re
from pathlib import Path

from tests.support.code.source import ROOT, texts

# XXX is also the code of "no currency" (ISO 4217), so it counts only in a comment.
TO_DO = re.compile(r"\b(TODO|FIXME)\b|(#|--|<!--).*\bXXX\b")
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(work|tmp|root|home)/")
GENERIC_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
SELF = Path(__file__).relative_to(ROOT).as_posix()


def find(pattern: re.Pattern[str]) -> list[str]:
    """Return `file:line` of every match in sources and documents."""
    return [
        f"{path}:{number}"
        for path, text in texts()
        if path != SELF
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_leftovers_of_todo_comments_remain() -> None:
    assert not find(TO_DO)


def test_no_leftovers_of_machine_paths_remain() -> None:
    assert not find(MACHINE_PATH)


def test_modules_and_folders_have_no_generic_names() -> None:
    paths = [Path(path) for path, _ in texts() if path.endswith((".py", ".sql"))]
    assert not [str(path) for path in paths if GENERIC_NAMES & set("_".join(path.with_suffix("").parts).split("_"))]
