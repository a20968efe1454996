"""Download of a batch's rejections over HTTP."""

import csv
import gzip
import io
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from server.routes.rejections import MAX_CONCURRENT_REPORTS
from tests.support.batches.mutations import REVERT
from tests.support.batches.uploads import UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.http.slow_reading import connect_with_small_buffers, get_request, seconds_until_reset
from tests.support.waiting import eventually

URLS = "{ batches { edges { node { number rejectionsUrl } } } }"
SAME_PORT = ["CNSGH", "CNSGH", "2024-01-01", "2024-01-02", "-3", "USD"]
MANY = 100_000


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """Yield a server with two ports, one connection for reports and no worker."""
    create_locations(database_url)
    with running_server(database_url, ingest_pool_size=1) as client:
        yield client


def upload(client: Client, *items: Json, wait_ms: int = 20_000) -> Json:
    """Upload items and return the batch."""
    batch: Json = client.ask(UPLOAD, input={"prices": items, "waitMs": wait_ms})["uploadPrices"]["batch"]
    return batch


def only_error(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of a rejection."""
    [error] = answer.json()["errors"]
    assert error["message"].endswith(".")
    return answer.status_code, error["extensions"]["code"]


def add_rejections(database_url: str, number: int, count: int = MANY) -> None:
    """Insert more rejections for the batch than the buffers of a connection hold."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO batch_rejections SELECT %s, 1, 'price', 'INVALID_PRICE', 'ERROR', repeat('m', 100), 'x', n"
            " FROM generate_series(1, %s) n",
            (number, count),
        )


def test_rejections_are_downloaded_as_csv_from_the_batch_url(client: Client, database_url: str) -> None:
    with running_worker(database_url):
        batch = upload(
            client, VALID_ITEM, {**VALID_ITEM, "price": "x"}, {**VALID_ITEM, "destination": "CNSGH", "price": -3}
        )
    [edge] = client.ask(URLS)["batches"]["edges"]
    assert edge["node"]["rejectionsUrl"] == f"/batches/{batch['number']}/rejections.csv"
    answer = client.http.get(edge["node"]["rejectionsUrl"], headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="batch-{batch["number"]}-rejections.csv"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    with client.http.stream("GET", edge["node"]["rejectionsUrl"], headers={"Accept-Encoding": "gzip"}) as compressed:
        body = b"".join(compressed.iter_raw())
    assert compressed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in compressed.headers["vary"]
    assert int(compressed.headers["content-length"]) == len(body)
    assert gzip.decompress(body) == answer.content
    header, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert (
        ",".join(header) == "item,severity,field,code,message,value,origin,destination,date_from,date_to,price,currency"
    )
    words = ["not a decimal number such as 1234.56", "origin and destination are the same port"]
    assert rows == [
        [
            "2",
            "ERROR",
            "price",
            "INVALID_PRICE",
            words[0],
            "x",
            "CNSGH",
            "NLRTM",
            "2024-01-01",
            "2024-01-02",
            "x",
            "USD",
        ],
        ["3", "WARNING", "destination", "SAME_PORT", words[1], "CNSGH", *SAME_PORT],
    ]


def test_rejections_url_is_set_only_for_ended_batches_with_rejections(client: Client, database_url: str) -> None:
    with running_worker(database_url):
        upload(client, VALID_ITEM)
        upload(client, {**VALID_ITEM, "destination": "CNSGH"})
        upload(client, {**VALID_ITEM, "price": "x"})
    upload(client, {**VALID_ITEM, "price": "x"}, wait_ms=0)
    urls = {edge["node"]["number"]: edge["node"]["rejectionsUrl"] for edge in client.ask(URLS)["batches"]["edges"]}
    assert urls == {1: None, 2: "/batches/2/rejections.csv", 3: "/batches/3/rejections.csv", 4: None}
    assert client.http.get("/batches/1/rejections.csv").text.count("\n") == 1


def test_rejections_head_request_returns_the_headers_of_get_without_a_body(client: Client, database_url: str) -> None:
    with running_worker(database_url):
        upload(client, {**VALID_ITEM, "price": "x"})
    head, get = client.http.head("/batches/1/rejections.csv"), client.http.get("/batches/1/rejections.csv")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-disposition", "cache-control"):
        assert head.headers[name] == get.headers[name]
    assert client.http.head("/batches/9/rejections.csv").status_code == 404


@pytest.mark.parametrize("id_", ["9", "0", "-1", "x", "1e3", "9" * 30, "%00", "¹"])
def test_rejections_of_an_unknown_batch_respond_404(client: Client, id_: str) -> None:
    assert only_error(client.http.get(f"/batches/{id_}/rejections.csv")) == (404, "UNKNOWN_BATCH")


def test_rejections_are_downloaded_by_global_id_too(client: Client, database_url: str) -> None:
    with running_worker(database_url):
        batch = upload(client, {**VALID_ITEM, "price": "x"})
    by_number, by_id = (client.http.get(f"/batches/{batch[key]}/rejections.csv") for key in ("number", "id"))
    assert by_id.content == by_number.content
    assert by_id.headers["content-disposition"] == by_number.headers["content-disposition"]


def test_rejections_of_a_queued_batch_respond_409(client: Client) -> None:
    batch = upload(client, {**VALID_ITEM, "price": "x"}, wait_ms=0)
    assert only_error(client.http.get(f"/batches/{batch['id']}/rejections.csv")) == (409, "BATCH_NOT_ENDED")


def test_rejections_route_rejects_post_with_405(client: Client) -> None:
    assert client.http.post("/batches/1/rejections.csv").status_code == 405


def test_rejections_downloads_by_stalled_clients_do_not_block_other_requests(client: Client, database_url: str) -> None:
    with running_worker(database_url):
        batch = upload(client, VALID_ITEM)
    add_rejections(database_url, batch["number"])
    url, path = client.http.base_url, f"/batches/{batch['id']}/rejections.csv"
    idle = [socket.create_connection((url.host, url.port or 80)) for _ in range(MAX_CONCURRENT_REPORTS + 2)]
    try:
        for sock in idle:
            sock.settimeout(20)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
            # The response begins after the report is written.
            assert sock.recv(12) == b"HTTP/1.1 200"
        assert client.http.get(path).text.count("\n") == MANY + 1
        assert client.ask(REVERT, id=batch["id"])["revertBatch"]["userErrors"] == []
    finally:
        for sock in idle:
            sock.close()


def count_unlinked_files() -> int:
    """Return the number of unlinked files that this process, which runs the server, holds."""
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum(link.name.endswith("(deleted)") for link in links)


def test_rejections_downloads_are_limited_and_release_their_files(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.routes.rejections.MAX_DOWNLOADS", 2)
    create_locations(database_url)
    with running_server(database_url, stall_seconds=1.0) as client, ExitStack() as opened:
        with running_worker(database_url):
            batch = upload(client, VALID_ITEM)
        add_rejections(database_url, batch["number"], 10_000)
        path, before = f"/batches/{batch['id']}/rejections.csv", count_unlinked_files()
        unread = [opened.enter_context(connect_with_small_buffers(client)) for _ in range(2)]
        for sock in unread:
            sock.sendall(get_request(path))
            # The response begins after the report is written.
            assert sock.recv(12) == b"HTTP/1.1 200"
        assert count_unlinked_files() == before + 2
        refused = client.http.get(path)
        assert only_error(refused) == (503, "STREAMS_EXHAUSTED")
        assert refused.headers["retry-after"] == "2"
        for sock in unread:
            seconds_until_reset(sock)
        eventually(lambda: count_unlinked_files() == before, "the files are not released")
        assert client.http.get(path).text.count("\n") == 10_001
        eventually(lambda: count_unlinked_files() == before, "the file is not released")


def test_rejections_respond_503_while_the_database_is_unavailable(
    client: Client, postgres: str, database_url: str
) -> None:
    with running_worker(database_url):
        upload(client, {**VALID_ITEM, "price": "x"})
    with psycopg.connect(postgres, autocommit=True) as connection:
        name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        answer = client.http.get("/batches/1/rejections.csv")
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    assert only_error(answer) == (503, "DATABASE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"
