"""Guard of the wheel: exactly the product packages with their SQL and CSV files."""

import zipfile
from pathlib import Path, PurePosixPath

from hatchling.builders.wheel import WheelBuilder

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
    assert {PurePosixPath(name).suffix for name in names} == {".py", ".sql", ".csv"}
    assert "ratesgraph = server.cli.main:main" in commands
