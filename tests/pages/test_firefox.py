"""Every page opens in Firefox: no console message, no request to another host."""

import shutil
from collections.abc import Iterator

import pytest

from tests.support.fixtures.server import Client, running_server
from tests.support.pages.built import require_pages
from tests.support.pages.firefox import Firefox, running_firefox
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

PROGRAMS = ("firefox-esr", "firefox")


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Yield a tab of the installed Firefox. Tests are skipped without it."""
    require_pages()
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("Firefox is not installed")
    with running_firefox(program, tmp_path_factory.mktemp("firefox")) as tab:
        yield tab


@pytest.fixture(scope="module")
def server(demo_url: str) -> Iterator[Client]:
    """Yield a server of demo data."""
    with running_server(demo_url) as client:
        yield client


@pytest.mark.parametrize(
    ("name", "path", "shown"),
    [
        ("prices", "/", "document.querySelector('.chart canvas') && document.querySelector('.lane')"),
        ("uploads", "/uploads", "document.querySelector('input[type=file]')"),
        ("locations", "/locations#CNSGH", "document.querySelector('.details h2')?.innerText == 'Shanghai'"),
        ("status", "/status", "document.querySelectorAll('dd').length >= 6"),
        ("graphiql", "/graphql", "document.querySelector('.graphiql-query-editor .view-line')"),
    ],
)
def test_page_opens_in_firefox(server: Client, firefox: Firefox, name: str, path: str, shown: str) -> None:
    origin = str(server.http.base_url).rstrip("/")
    firefox.open(f"{origin}{path}")
    firefox.wait_for(f"Boolean({shown})")
    firefox.take_screenshot(f"firefox-{name}")
    assert not firefox.overflows()
    assert firefox.messages == []
    assert [url for url in firefox.requests if not url.startswith((f"{origin}/", "blob:", "data:"))] == []


def test_firefox_records_messages_and_requests(server: Client, firefox: Firefox) -> None:
    origin = str(server.http.base_url).rstrip("/")
    firefox.open(f"{origin}/status")
    firefox.evaluate("console.error('seen'); fetch('http://elsewhere.invalid/'); 1")

    def recorded() -> bool:
        # The events come with the replies to commands. The request may be reported some commands after its fetch.
        firefox.evaluate("1")
        blocked = any("connect-src" in text for text in firefox.messages)
        return "error: seen" in firefox.messages and ("http://elsewhere.invalid/" in firefox.requests or blocked)

    eventually(recorded, "Firefox does not record the message and the request")
