"""Guard of the documentation: a short README, short lines, valid links, current pages."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.generate import create_pages
from tests.support.code.source import ROOT

README_BYTES = 6_000
LINE_LENGTH = 130
PROSE = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").glob("*.md"),
    ROOT / "explorer" / "README.md",
]
DECISIONS = ROOT / "docs" / "decisions"
"""Decision records are history, so their lines are not rewrapped."""
FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


def read(path: Path) -> str:
    """Return the document without its code blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, the same on GitHub and on the built site."""
    words = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in HEADING.findall(read(path)))
    return {re.sub(r"\s+", "-", each) for each in words}


def links() -> Iterator[tuple[Path, str]]:
    """Yield each link within the repository with its document."""
    for path in PROSE:
        for target in LINK.findall(read(path)):
            if not target.startswith(("http://", "https://", "mailto:")):
                yield path, target


def is_broken(path: Path, target: str) -> bool:
    """Return whether the link leads to no file, or to no heading of its file."""
    name, _, anchor = target.partition("#")
    file = (path.parent / name).resolve() if name else path
    return not file.exists() or (bool(anchor) and anchor not in anchors(file))


def test_readme_is_shorter_than_the_size_limit() -> None:
    assert len((ROOT / "README.md").read_bytes()) < README_BYTES


def test_documentation_lines_are_at_most_130_characters_long() -> None:
    assert not [
        f"{path.relative_to(ROOT)}: {line}"
        for path in PROSE
        if DECISIONS not in path.parents
        for line in read(path).splitlines()
        if len(line) > LINE_LENGTH and not line.startswith("|")
    ]


def test_start_page_lists_every_page_of_each_section() -> None:
    start = ROOT / "docs" / "index.md"
    listed = {(start.parent / target.partition("#")[0]).resolve() for target in LINK.findall(read(start))}
    pages = {
        page
        for page in start.parent.glob("*/**/*.md")
        if DECISIONS not in page.parents and page.parent.name != "clients"
    }
    assert not {str(page.relative_to(start.parent)) for page in pages - listed}


def test_documentation_links_resolve_to_files_and_headings() -> None:
    assert not [f"{path.relative_to(ROOT)}: {target}" for path, target in links() if is_broken(path, target)]


@pytest.mark.parametrize(("path", "text"), create_pages().items())
def test_generated_documentation_page_matches_the_code(path: str, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text, "run `make reference`"
