"""Assets of the pages: encodings, caching, and no way out of their folder."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fixtures.server import Client, running_server
from tests.support.http.raw_http import connect, read_all
from tests.support.pages.built import require_pages


@pytest.fixture(scope="module")
def assets() -> Path:
    """Return the folder of the built assets."""
    return require_pages().assets


@pytest.fixture(scope="module")
def server(module_database_url: str) -> Iterator[Client]:
    """Yield a server."""
    with running_server(module_database_url) as client:
        yield client


def script(assets: Path) -> Path:
    """Return the script of the front page."""
    return next(assets.glob("index-*.js"))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"), ("br;q=0.1", "br"), ("gzip", "gzip"), ("gzip, br;q=0", "gzip"), ("*", "br"),
        ("identity", None), ("gzip;q=0, br;q=0", None), ("deflate", None), ("", None), ("x" * 2_000, None),
    ],
)  # fmt: skip
def test_asset_is_sent_in_the_smallest_accepted_encoding(
    assets: Path, server: Client, accepted: str, coding: str | None
) -> None:
    path = script(assets)
    headers = {"Accept-Encoding": accepted}
    with server.http.stream("GET", f"/assets/{path.name}", headers=headers) as response:
        body = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[coding]
    assert body == path.with_name(f"{path.name}{suffix}").read_bytes()


def test_compressed_assets_have_the_content_of_the_plain_ones(assets: Path) -> None:
    compressed = [path for path in assets.iterdir() if path.suffix == ".gz"]
    assert compressed
    for path in compressed:
        assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes()
        assert path.with_suffix(".br").stat().st_size < path.with_suffix("").stat().st_size


def test_assets_are_immutable_and_answer_conditional_and_head_requests(assets: Path, server: Client) -> None:
    seen = set()
    for path in assets.iterdir():
        if path.suffix in {".br", ".gz"}:
            continue
        for accepted in ("br", "gzip", "identity"):
            response = server.http.get(f"/assets/{path.name}", headers={"Accept-Encoding": accepted})
            assert response.status_code == 200
            assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
            etag = response.headers["etag"]
            again = server.http.get(
                f"/assets/{path.name}", headers={"Accept-Encoding": accepted, "If-None-Match": etag}
            )
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
            head = server.http.head(f"/assets/{path.name}", headers={"Accept-Encoding": accepted})
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == response.headers["content-length"]
            seen.add((etag, response.headers.get("content-encoding")))
    assert len({etag for etag, _ in seen}) == len(seen)


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js", "", ".", "..", "../built.json", "%2e%2e/built.json", "..%2fbuilt.json", "..%5cbuilt.json",
        "%2e%2e%2f%2e%2e%2fsite.py", "/etc/passwd", "%00", "a/b", "index.html", "built.json", "x" * 5_000,
    ],
)  # fmt: skip
def test_assets_serve_no_other_file(server: Client, path: str) -> None:
    with connect(server) as sock:
        sock.sendall(f"GET /assets/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert b" 404 " in read_all(sock).partition(b"\r\n")[0]


def test_compressed_files_are_not_served_under_their_own_names(assets: Path, server: Client) -> None:
    assert server.http.get(f"/assets/{script(assets).name}.br").status_code == 404
