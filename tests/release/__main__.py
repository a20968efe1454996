"""Check of a release (`python -m tests.release`).

Build, install into empty environments, serve, upload, ask, open a page.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.release.installation import (
    InstallationFailed,
    build_distributions,
    check_page,
    check_query,
    check_upload,
    install_tool,
    install_with_pip,
    serving_from,
)

INSTALLERS = {"pip, empty environment": install_with_pip, "uv tool install": install_tool}
CHECKS = {"upload": check_upload, "query": check_query, "page": check_page}


class Report:
    """Table of the steps so far."""

    def __init__(self) -> None:
        self.table = Table("step", "result", "seconds", title="Release check")

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Add a row for the block, which appends its result to the list."""
        began, result = time.monotonic(), list[str]()
        try:
            yield result
        except BaseException:
            result.append("failed")
            raise
        finally:
            self.table.add_row(name, " ".join(result), f"{time.monotonic() - began:.1f}")


def check_release(folder: Path, report: Report) -> None:
    """Run all steps. Raise InstallationFailed or AssertionError at the first that fails."""
    with report.step("source distribution and wheel") as result:
        source, wheel = build_distributions(folder)
        result += [f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in (source, wheel)]
    for number, (name, install) in enumerate(INSTALLERS.items()):
        place = folder / str(number)
        place.mkdir()
        with report.step(name) as result:
            command = install(wheel, place)
            result.append("no compiler, no sources")
        with serving_from(command, place) as client:
            for step, check in CHECKS.items():
                with report.step(f"  {step}") as result:
                    result.append(check(client))


def main() -> int:
    """Run and print the steps; return 1 if one failed."""
    console, report = Console(highlight=False), Report()
    try:
        with TemporaryDirectory(prefix="ratesgraph-") as folder:
            check_release(Path(folder), report)
    except (InstallationFailed, AssertionError) as error:
        console.print(report.table)
        console.print(str(error), markup=False, soft_wrap=True)
        return 1
    console.print(report.table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
