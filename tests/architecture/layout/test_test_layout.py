"""Guard of the test layout: test modules share helpers only through tests/support."""

from tests.support.code.source import imported, modules


def test_no_test_module_imports_another() -> None:
    found = [
        (path, name)
        for path, tree in modules("tests", "bench")
        for name in imported(tree)
        if any(part.startswith("test_") for part in name.split(".")[:-1]) and name.startswith("tests.")
    ]
    assert not found


def test_every_test_module_lies_in_a_folder_of_its_subject() -> None:
    paths = [path for path, _ in modules("tests") if path.rpartition("/")[2].startswith("test_")]
    assert paths
    assert not [path for path in paths if path.count("/") == 1]
