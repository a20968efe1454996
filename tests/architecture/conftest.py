"""Watches which SQL sections the tests of a session run, for `test_sql_sections`, and puts that test last."""

import importlib
from collections.abc import Iterable

import pytest

from db.sql import FOLDER

Section = tuple[str, str]
RUN = pytest.StashKey[set[Section]]()
LAST = "test_every_section_is_run_by_a_test"


class WatchedSections(dict[str, bytes]):
    """The sections of a subject; notes each that is taken out, which is done only to run it."""

    def __init__(self, subject: str, sections: dict[str, bytes], run: set[Section]) -> None:
        super().__init__(sections)
        self._subject = subject
        self._run = run

    def __getitem__(self, name: str) -> bytes:
        self._run.add((self._subject, name))
        return super().__getitem__(name)


def all_subjects() -> Iterable[str]:
    """Return the subjects that have a SQL file."""
    return sorted(path.stem for path in FOLDER.glob("*.sql"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin to watch, before the first test and after the last import."""
    items.sort(key=lambda item: item.name == LAST)
    config.stash[RUN] = run = set[Section]()
    for subject in all_subjects():
        module = importlib.import_module(f"db.repositories.{subject}")
        module.SQL = WatchedSections(subject, module.SQL, run)  # type: ignore[attr-defined]


@pytest.fixture
def sections_run(request: pytest.FixtureRequest) -> set[Section]:
    """The sections that the session has run so far; skip where only a part of the tests was asked for."""
    config = request.config
    partly = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    if partly or any(config.getoption(option, None) for option in ("keyword", "markexpr", "lf")):
        pytest.skip("only a run of all tests can tell")
    return config.stash[RUN]
