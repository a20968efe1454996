"""Data version: a new name for every observed change, none without notifications."""

from resolvers.data_version import DataVersion


def known(name: str = "7") -> DataVersion:
    """Return a version that has observed one change."""
    version = DataVersion()
    version.on_change(name, "1 APPLIED")
    return version


def test_data_version_is_unique_until_an_expected_change_is_announced() -> None:
    version = known()
    version.expect_change("3 APPLIED")
    required = version.name
    assert required not in {"", "7"}
    # An earlier change is announced late. In other processes its name stands for a state without the change already
    # announced here.
    version.on_change("8", "2 APPLIED")
    assert version.name not in {"8", required}
    version.on_change("9", "3 APPLIED")
    assert version.name == "9"


def test_data_version_is_unchanged_if_an_expected_change_was_announced_before() -> None:
    version = known()
    version.expect_change("1 APPLIED")
    assert version.name == "7"


def test_data_version_changes_once_for_a_change_expected_twice() -> None:
    version = known()
    version.expect_change("3 APPLIED")
    required = version.name
    version.expect_change("3 APPLIED")
    assert version.name == required


def test_data_version_is_empty_after_a_reset_until_the_next_change() -> None:
    version = known()
    version.expect_change("3 APPLIED")
    version.reset()
    assert version.name == ""
    version.expect_change("4 APPLIED")
    version.invalidate()
    assert version.name == ""
    version.on_change("9", "5 APPLIED")
    assert version.name == "9"


def test_data_version_differs_after_every_invalidation() -> None:
    version = known()
    names = {version.name}
    for _ in range(3):
        version.invalidate()
        names.add(version.name)
    assert len(names) == 4


def test_data_version_has_a_name_of_its_own_until_it_is_confirmed() -> None:
    version, names = DataVersion(), list[str]()
    version.needs_confirmation = True
    version.listeners.append(names.append)
    version.on_change("7", "1 APPLIED")
    assert version.name.startswith("7+")
    version.confirm()
    assert version.name == "7"
    version.on_change("8", "2 APPLIED")
    version.expect_change("3 APPLIED")
    version.confirm()
    assert version.name == "8+3 APPLIED"
    version.reset()
    version.confirm()
    assert version.name == ""
    # Listeners follow the data, which do not change when their version is confirmed.
    assert [name.partition("+")[0] for name in names] == ["7", "8", "8", ""]
