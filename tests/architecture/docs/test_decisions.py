"""Guard of the decision records: title, status, index row and valid links."""

import re
from pathlib import Path

import pytest

from tests.support.code.source import ROOT

FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
TITLE = re.compile(r"# (?P<number>\d+)\. (?P<title>.+)")
STATUS = re.compile(
    r"^Status: (accepted|superseded|partly superseded|figures superseded|steps accepted)\b", re.MULTILINE
)
DATE = re.compile(r"· 20\d\d-\d\d-\d\d\b")
ROW = re.compile(r"^\| (?P<number>\d+) \| \[(?P<title>[^\]]+)\]\((?P<file>[^)]+)\) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
LINK = re.compile(r"\]\((?P<target>[^)#:\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name[:4])
def test_decision_has_number_title_status_and_date(path: Path) -> None:
    title, blank, text = path.read_text(encoding="utf-8").split("\n", 2)
    head = text.partition("\n\n")[0].replace("\n", " ")
    match = TITLE.fullmatch(title)
    assert match is not None
    assert int(match["number"]) == int(path.name[:4])
    assert not blank
    assert STATUS.match(head)
    assert DATE.search(head)


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_decision_index_lists_every_record_under_its_title() -> None:
    rows = [match.groupdict() for match in ROW.finditer((FOLDER / "index.md").read_text(encoding="utf-8"))]
    expected = []
    for path in RECORDS:
        match = TITLE.match(path.read_text(encoding="utf-8"))
        assert match is not None
        expected.append({"number": match["number"], "title": match["title"], "file": path.name})
    assert rows == expected


def test_links_between_decisions_lead_to_files() -> None:
    links = [
        (path.name, match["target"])
        for path in FOLDER.glob("*.md")
        for match in LINK.finditer(path.read_text(encoding="utf-8"))
    ]
    assert len(links) > len(RECORDS)
    assert not [(name, target) for name, target in links if not (FOLDER / target).exists()]
