"""Guard of the recipes for GraphQL clients: they show code that `tests/clients/` runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.code.source import ROOT

SOURCES = ROOT / "tests" / "clients"
LANGUAGES = ("javascript", "json", "python", "toml", "typescript")
"""Languages of the scripts. Commands and configurations of a proxy have others."""
BLOCK = re.compile(rf"^```({'|'.join(LANGUAGES)})\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = sorted((ROOT / "docs" / "how-to" / "clients").glob("*.md"))


def code_blocks() -> Iterator[tuple[str, str]]:
    """Yield each code block of the recipes with the name of its page."""
    for page in RECIPES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            yield page.name, block[2]


def is_part(block: list[str], source: list[str]) -> bool:
    """Return whether the lines are consecutive lines of the source, at any indentation."""
    size = len(block)
    return any(
        dedent("\n".join(source[start : start + size])).split("\n") == block
        for start, line in enumerate(source)
        if line.strip() == block[0]
    )


@pytest.fixture(scope="module")
def sources() -> dict[Path, list[str]]:
    """Return the lines of all files of the clients."""
    files = [path for path in SOURCES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path: path.read_text(encoding="utf-8").splitlines() for path in files}


@pytest.mark.parametrize(("page", "block"), list(code_blocks()))
def test_recipe_shows_code_that_a_test_runs(sources: dict[Path, list[str]], page: str, block: str) -> None:
    lines = block.splitlines()
    assert any(is_part(lines, source) for source in sources.values()), f"{page} shows code of no script:\n{block}"


def test_every_recipe_shows_code() -> None:
    assert len(RECIPES) >= 7
    assert {page for page, _ in code_blocks()} == {page.name for page in RECIPES}
