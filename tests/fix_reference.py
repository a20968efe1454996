"""The reference data: ports, regions and prices of January 2016 with expected answers. It is not part of the project."""

from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "shared" / "data" / "ratestask"


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of the reference data; tests that need it skip where it is not."""
    if not REFERENCE.is_dir():
        pytest.skip("the reference data (ratestask) is not on this machine")
    return REFERENCE
