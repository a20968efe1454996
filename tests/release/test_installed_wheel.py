"""Installed wheel that serves from any folder. `make release-check` is the long run."""

from pathlib import Path

import pytest

from tests.release.installation import (
    InstallationFailed,
    build_wheel,
    check_page,
    check_query,
    check_upload,
    install_tool,
    serving_from,
)
from tests.support.pages.built import require_pages

pytestmark = pytest.mark.slow


def test_installed_wheel_serves_from_any_folder(tmp_path: Path) -> None:
    require_pages()
    wheel = build_wheel(tmp_path)
    try:
        command = install_tool(wheel, tmp_path)
    except InstallationFailed as error:
        if "error sending request" in str(error):
            pytest.skip("the package registry is not available")
        raise
    folder = tmp_path / "any folder"
    folder.mkdir()
    with serving_from(command, folder) as client:
        check_upload(client)
        check_query(client)
        check_page(client)
