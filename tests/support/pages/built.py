"""The built pages, for tests that need them."""

import pytest

from server.pages.built_pages import BuiltPages, read_built_pages


def require_pages() -> BuiltPages:
    """Return the built pages. The test is skipped, with the reason, if there are none."""
    built = read_built_pages()
    if built.failure is not None:
        pytest.skip(f"the pages are not built (`make pages`): {built.failure}")
    return built
