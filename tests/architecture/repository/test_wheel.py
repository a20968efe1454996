"""Guard of the wheel: exactly the product packages, with SQL, CSV files and built pages."""

import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from server.pages.built_pages import read_built_pages
from tests.support.code.source import PRODUCT, ROOT


def test_wheel_contains_exactly_the_product(tmp_path: Path) -> None:
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        [entry_points] = [name for name in archive.namelist() if name.endswith("/entry_points.txt")]
        commands = archive.read(entry_points).decode()
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PRODUCT
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == expected
    sources = {name for name in names if not name.startswith("server/pages/built/")}
    assert {PurePosixPath(name).suffix for name in sources} == {".py", ".sql", ".csv"}
    # The build hook records a failure in place of the pages, for example without a connection to the npm registry.
    assert "server/pages/built/built.json" in names
    if read_built_pages().failure is None:
        assert {"server/pages/built/index.html", "server/pages/built/graphiql.html"} <= names
    assert "ratesgraph = server.cli.main:main" in commands


def test_source_distribution_contains_the_sources_of_the_pages(tmp_path: Path) -> None:
    [archive] = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"explorer/build.py", "explorer/hatch_build.py", "explorer/package-lock.json", "explorer/.npmrc"} <= names
    assert not [name for name in names if "node_modules" in name or name.startswith("server/pages/built/")]
