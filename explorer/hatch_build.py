"""Build hook of the package: puts the built pages into the wheel.

RATESGRAPH_PAGES=skip leaves the pages out, as Make does for the editable installation before it builds them itself.
"""

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def load_build() -> ModuleType:
    """Return the module `build.py` of this folder, which no package contains."""
    spec = importlib.util.spec_from_file_location("explorer_build", Path(__file__).with_name("build.py"))
    assert spec is not None  # noqa: S101
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PagesBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Build hook of wheels, editable ones included."""

    def dependencies(self) -> list[str]:
        """Return the wheel of Node.js if the machine needs one and there is one for it."""
        build = load_build()
        return [build.NODE_WHEEL] if not _is_skipped() and build.find_node() is None and build.has_node_wheel() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the pages and add them.

        A failure is reported, and the wheel records it in place of the pages.
        """
        if _is_skipped():
            return
        if reason := load_build().build_pages(install_node=False):
            self.app.display_warning(f"The pages are not built: {reason}")
        build_data["artifacts"].append("server/pages/built/**")


def _is_skipped() -> bool:
    return os.environ.get("RATESGRAPH_PAGES") == "skip"
