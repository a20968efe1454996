"""Names of the data's state: a new one for every change that anybody was told of, and none where changes cannot be heard."""

from resolvers.data_version import DataVersion


def known(name: str = "7") -> DataVersion:
    """Return a version that has heard of one change."""
    version = DataVersion()
    version.on_change(name, "1 APPLIED")
    return version


def test_what_was_told_before_its_announcement_has_a_name_of_its_own_until_that_arrives() -> None:
    version = known()
    version.expect_change("3 APPLIED")
    required = version.name
    assert required not in {"", "7"}
    # An earlier change is announced late: the state that it names in other processes does not hold what was told here.
    version.on_change("8", "2 APPLIED")
    assert version.name not in {"8", required}
    version.on_change("9", "3 APPLIED")
    assert version.name == "9"


def test_what_has_been_announced_needs_no_other_name() -> None:
    version = known()
    version.expect_change("1 APPLIED")
    assert version.name == "7"


def test_what_is_told_twice_changes_the_name_once() -> None:
    version = known()
    version.expect_change("3 APPLIED")
    required = version.name
    version.expect_change("3 APPLIED")
    assert version.name == required


def test_nothing_has_a_name_while_changes_cannot_be_heard() -> None:
    version = known()
    version.expect_change("3 APPLIED")
    version.reset()
    assert version.name == ""
    version.expect_change("4 APPLIED")
    version.invalidate()
    assert version.name == ""
    version.on_change("9", "5 APPLIED")
    assert version.name == "9"


def test_a_new_name_is_another_each_time() -> None:
    version = known()
    names = {version.name}
    for _ in range(3):
        version.invalidate()
        names.add(version.name)
    assert len(names) == 4
