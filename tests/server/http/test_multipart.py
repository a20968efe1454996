"""Malformed multipart requests: each is rejected with a code, at bounded cost."""

import json
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from server.http.multipart import MAX_FIELD_BYTES
from tests.support.batches.price_files import CSV, MUTATION, form, send
from tests.support.batches.uploads import AVERAGES, create_locations
from tests.support.fixtures.server import Client, running_server
from tests.support.http.multipart import (
    FILE,
    LIMIT,
    MAP,
    OPERATION,
    OPERATIONS,
    Part,
    batch_count,
    encode,
    error_code,
    open_upload,
    post,
)
from tests.support.http.server_process import serving
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """Yield a server with two ports, small limits and no worker."""
    create_locations(database_url)
    with running_server(database_url, max_body_bytes=10_000, max_upload_bytes=LIMIT, pool_size=2) as client:
        yield client


@pytest.fixture(scope="module")
def empty_server(module_database_url: str) -> Iterator[Client]:
    """Yield a server for tests that store nothing."""
    with running_server(module_database_url, max_upload_bytes=2 * MAX_FIELD_BYTES) as client:
        yield client


def operations(value: object) -> Part:
    """Return the `operations` part."""
    return ("operations", None, json.dumps(value).encode())


def mapped(value: object) -> Part:
    """Return the `map` part."""
    return ("map", None, json.dumps(value).encode())


def test_multipart_upload_with_a_minimal_body_is_accepted(client: Client) -> None:
    answer = post(client, encode(OPERATIONS, MAP, FILE))
    assert answer.json()["data"]["uploadPriceFile"]["batch"]["status"] == "QUEUED"


def test_multipart_media_type_is_case_insensitive(client: Client) -> None:
    answer = post(client, encode(OPERATIONS, MAP, FILE), "Multipart/Form-Data; Boundary=xyz")
    assert answer.json()["data"]["uploadPriceFile"]["batch"]["status"] == "QUEUED"


def test_multipart_request_without_a_file_executes_its_operation(client: Client) -> None:
    answer = post(client, encode(operations({"query": "{ batches { totalCount } }"}), mapped({})))
    assert answer.json() == {"data": {"batches": {"totalCount": 0}}}


MALFORMED: dict[str, bytes] = {
    "empty body": b"",
    "not a form": b'{"query": "{ __typename }"}',
    "missing end boundary": encode(OPERATIONS, MAP, FILE, end=""),
    "truncated file": encode(OPERATIONS, MAP, FILE)[:-40],
    "another boundary": encode(OPERATIONS, MAP, FILE, boundary="abc", end="--abc--"),
    "a broken header": b"--xyz\r\nContent Disposition: form-data\r\n\r\n--xyz--",
    "a part without a name": b"--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xyz--",
    "no operations": encode(MAP, FILE),
    "operations as a file": encode(("operations", "o.json", OPERATIONS[2]), MAP),
    "several operations": encode(OPERATIONS, OPERATIONS, FILE),
    "operations twice and a map": encode(OPERATIONS, OPERATIONS, MAP, FILE),
    "an array of operations": encode(operations([OPERATION]), MAP, FILE),
    "operations as a string": encode(operations("x"), MAP, FILE),
    "operations in invalid JSON": encode(("operations", None, b"{"), MAP, FILE),
    "operations in invalid UTF-8": encode(("operations", None, b'{"query": "\xff"}'), MAP),
    "deep operations": encode(("operations", None, b"[" * 100_000), MAP, FILE),
    "large operations": encode(("operations", None, b" " * (MAX_FIELD_BYTES + 1)), MAP, FILE),
    "no map": encode(OPERATIONS, FILE),
    "a list for the map": encode(OPERATIONS, mapped(["variables.file"]), FILE),
    "a map without lists": encode(OPERATIONS, mapped({"0": "variables.file"}), FILE),
    "a map with numbers": encode(OPERATIONS, mapped({"0": [1]}), FILE),
    "a file that is not sent": encode(OPERATIONS, MAP),
    "a file that the map does not name": encode(OPERATIONS, mapped({}), FILE),
    "two files without names": encode(OPERATIONS, mapped({"0": [], "1": []}), ("0", None, CSV), ("1", None, CSV)),
    "two files": encode(OPERATIONS, mapped({"0": ["variables.file"], "1": ["variables.list.0"]}), FILE, ("1", "b.csv", CSV)),
    "too many fields": encode(OPERATIONS, MAP, *[("x", None, b"")] * 100, FILE),
}  # fmt: skip
PATHS = [
    "",
    ".",
    "variables",
    "variables.",
    "variables.other",
    "variables.file.x",
    "variables.input",
    "variables.input.waitMs",
    "variables.input.waitMs.0",
    "variables.list",
    "variables.list.1",
    "variables.list.2",
    "variables.list.-1",
    "variables.list.²",
    "variables.list." + "9" * 5_000,
    "query",
    "operationName",
    "variables" + ".list" * 10_000,
]


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_multipart_request_is_rejected_and_stores_nothing(empty_server: Client, kind: str) -> None:
    answer = post(empty_server, MALFORMED[kind])
    assert (answer.status_code, error_code(answer)) == (400, "BAD_MULTIPART")
    assert batch_count(empty_server) == 0


@pytest.mark.parametrize(
    ("file_map", "message"),
    [
        ({"it's": 1}, '`map` must contain a list of paths for "it\'s".'),
        ({"it's": []}, '`map` references missing file part "it\'s".'),
        ({"0": ["\n"]}, '`map` path "\\n" must point to a null variable.'),
        ({"x" * 100_000: 1}, f'`map` must contain a list of paths for "{"x" * 60}…".'),
        ({"0": ["x" * 100_000]}, f'`map` path "{"x" * 60}…" must point to a null variable.'),
    ],
    ids=["no list", "no part", "no variable", "a long name", "a long path"],
)
def test_multipart_error_quotes_texts_as_graphql_does(
    empty_server: Client, file_map: dict[str, Any], message: str
) -> None:
    file_map = {"0": ["variables.file"], **file_map}
    answer = post(empty_server, encode(OPERATIONS, mapped(file_map), FILE))
    assert answer.json() == {"errors": [{"message": message, "extensions": {"code": "BAD_MULTIPART"}}]}


@pytest.mark.parametrize("change", [{"query": 1}, {"query": None}, {"operationName": ["x"]}, {"documentId": 1}])
def test_multipart_request_with_invalid_parameters_is_rejected(client: Client, change: dict[str, Any]) -> None:
    answer = post(client, encode(operations({**OPERATION, **change}), MAP, FILE))
    assert (answer.status_code, error_code(answer)) == (400, "BAD_PARAMETER")
    assert batch_count(client) == 0


def test_multipart_request_requires_a_persisted_document_if_only_those_are_allowed(
    database_url: str, tmp_path: Path
) -> None:
    with running_server(database_url, documents_dir=tmp_path, persisted_only=True) as client:
        answer = post(client, encode(OPERATIONS, MAP, FILE))
        assert (answer.status_code, error_code(answer)) == (400, "DOCUMENT_REQUIRED")


def test_multipart_map_path_that_does_not_lead_to_null_is_rejected(client: Client) -> None:
    for path in PATHS:
        answer = post(client, encode(OPERATIONS, mapped({"0": [path]}), FILE))
        assert (answer.status_code, error_code(answer)) == (400, "BAD_MULTIPART"), path
    answer = post(client, encode(OPERATIONS, mapped({"0": ["variables.file"] * 2}), FILE))
    assert error_code(answer) == "BAD_MULTIPART"
    assert batch_count(client) == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 5_000}",
        "multipart/form-data; boundary=xyz; charset=idna",
        "multipart/form-data; boundary=xyz; charset=undefined",
        "multipart/form-data; boundary=xyz; charset=base64",
    ],
)
def test_multipart_content_type_with_unusable_boundary_or_charset_is_rejected(
    client: Client, content_type: str
) -> None:
    answer = post(client, encode(("operations", None, b'"\xff..'), MAP, FILE), content_type)
    assert (answer.status_code, error_code(answer)) == (400, "BAD_MULTIPART")


@pytest.mark.parametrize("value", [None, "prices.csv", {"filename": "a.csv", "read": 1, "seek": 2}])
def test_upload_argument_accepts_only_a_multipart_file_part(client: Client, value: object) -> None:
    error = client.fail(MUTATION, file=value)
    assert error["extensions"]["code"] in {"INVALID_UPLOAD", "BAD_USER_INPUT"}
    error = client.fail('mutation { uploadPriceFile(file: "prices.csv") { replayed } }')
    assert error["extensions"]["code"] == "INVALID_UPLOAD"


def test_multipart_file_for_a_string_variable_is_a_user_input_error(client: Client) -> None:
    query = "query ($key: String!) { batchByKey(idempotencyKey: $key) { id } }"
    body = encode(operations({"query": query, "variables": {"key": None}}), mapped({"0": ["variables.key"]}), FILE)
    (error,) = post(client, body).json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("header", ["GraphQL-Require-Preflight", "apollo-require-preflight", "X-Requested-With"])
def test_multipart_request_requires_a_csrf_header(client: Client, header: str) -> None:
    body = encode(OPERATIONS, MAP, FILE)
    for headers in ({"Origin": "https://elsewhere.example"}, {header: ""}):
        answer = post(client, body, **headers)
        assert (answer.status_code, error_code(answer)) == (403, "PREFLIGHT_REQUIRED")
        assert "GraphQL-Require-Preflight" in answer.text
    assert batch_count(client) == 0
    assert post(client, body, **{header: "1"}).status_code == 200


def test_multipart_upload_without_upload_scope_is_rejected_before_the_body(database_url: str) -> None:
    with running_server(database_url, writes_are_open=False) as client:
        with open_upload(client, length=100_000) as sock:
            assert sock.recv(1_000).startswith(b"HTTP/1.1 401 ")
        for token, expected in [
            (None, (401, "UNAUTHENTICATED")),
            (create_api_token(database_url, "read"), (403, "FORBIDDEN")),
        ]:
            client.http.headers.update(authorization_header(token))
            answer = post(client, encode(OPERATIONS, MAP, FILE))
            assert (answer.status_code, error_code(answer)) == expected
        client.http.headers.update(authorization_header(create_api_token(database_url, "admin")))
        assert batch_count(client) == 0


def test_slow_multipart_uploads_occupy_no_database_connection(client: Client) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(open_upload(client, length=100_000))
        # The pool has two connections.
        assert client.ask(AVERAGES)["averagePrices"]
        assert send(client, CSV, waitMs=0)["batch"]["status"] == "QUEUED"
    # All slow clients have disconnected: they store nothing and do not affect others.
    assert batch_count(client) == 1


def test_multipart_upload_on_a_full_disk_responds_503_and_stores_nothing(database_url: str) -> None:
    create_locations(database_url)
    token = create_api_token(database_url, "upload")
    with serving(database_url) as (process, url):
        httpx.get(f"{url}/readyz", timeout=DEADLINE_SECONDS).raise_for_status()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        request = form(CSV + b"\n" * 3_000_000, "prices.csv")
        request["headers"] |= authorization_header(token)
        answer = httpx.post(f"{url}/graphql", **request, timeout=DEADLINE_SECONDS)
        assert (answer.status_code, error_code(answer)) == (503, "NO_ROOM")
        assert int(answer.headers["retry-after"]) > 0
        assert httpx.get(f"{url}/readyz", timeout=DEADLINE_SECONDS).status_code == 200
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM price_batches").fetchone() == (0,)
