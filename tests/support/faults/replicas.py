"""Fixtures of a primary with a small world, and its standby."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from db.migrate import migrate
from tests.support.databases.memory import temporary_folder
from tests.support.faults.replication import Pair, replicated_pair
from tests.support.faults.world import create_query_cases


@contextmanager
def running_pair() -> Iterator[Pair]:
    """Run a migrated primary with a small world, and its standby, which has replayed both."""
    with temporary_folder() as folder, replicated_pair(folder) as pair:
        migrate(pair.primary.url)
        pair.cases.extend(create_query_cases(pair.primary.url))
        pair.wait_until_replayed()
        yield pair


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Yield a primary and its standby for one test, which may stop, promote or fence them."""
    with running_pair() as pair:
        yield pair


@pytest.fixture(scope="module")
def module_pair() -> Iterator[Pair]:
    """Yield a primary and its standby that the tests of a module share and leave as they are."""
    with running_pair() as pair:
        yield pair
