"""Guard of module size: a module stays short enough to be read in one go."""

from tests.support.code.source import PRODUCT, ROOT

MAX_LINES = 300
"""Good code of this kind has a median module under 170 lines. Twice that is two subjects."""


def test_every_module_is_shorter_than_the_limit() -> None:
    too_long = {}
    for folder in (*PRODUCT, "tests", "bench"):
        for path in (ROOT / folder).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines >= MAX_LINES:
                too_long[path.relative_to(ROOT).as_posix()] = lines
    assert not too_long
