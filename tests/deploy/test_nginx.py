"""nginx in front of two servers: all kinds of requests, and restarts without a failure."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support.batches.price_files import PREFLIGHT
from tests.support.commands.ports import find_free_port
from tests.support.deployment.files import require_program
from tests.support.deployment.nginx import check_configuration, running_nginx, write_configuration
from tests.support.faults.database_proxy import running_database_proxy
from tests.support.faults.readers import reading
from tests.support.faults.uploaders import read_outcomes, uploading
from tests.support.faults.world import QueryCase, create_query_cases
from tests.support.fixtures.server import Client, running_worker
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.pages.built import require_pages
from tests.support.streams import TRANSPORTS, open_subscription
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

SETTINGS = {"RATESGRAPH_DRAIN_SECONDS": "1.5", "RATESGRAPH_TRUSTED_PROXIES": "127.0.0.1"}
UPLOAD_FILE = """
mutation ($file: Upload!) {
  uploadPriceFile(file: $file, input: {waitMs: 30000}) { batch { number status itemCount } userErrors { code } }
}
"""
CHANGES = """
subscription { pricesChanged(origin: "CNSGH", destination: "NLRTM") { batch { number status } } }
"""
UPLOAD = (
    "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { number } userErrors { code } } }"
)
PRICE = {"dateFrom": "2024-01-01", "origin": "CNSGH", "destination": "NLRTM", "price": 5}
BAD_GATEWAY = 502
MAX_RESETS = 2
"""Requests that may fail when a server stops on a busy machine.

The kernel resets a connection that arrives between the last accept and the close of the socket. nginx does not send its POST
again, because it cannot know that no server has received it.
"""
MORE_THAN_A_BUFFER = 40_000
"""Lines of a file that nginx writes to its disk before it passes the file on."""


@dataclass
class Site:
    """nginx with two servers that can be replaced one by one."""

    database_url: str
    cases: list[QueryCase]
    ports: tuple[int, int]
    token: str
    url: str = ""
    servers: dict[int, ExitStack] = field(default_factory=dict)

    def start(self, port: int) -> None:
        """Start a server and wait until it is ready."""
        self.servers[port] = ExitStack()
        _, url = self.servers[port].enter_context(serving(self.database_url, "--port", str(port), settings=SETTINGS))
        eventually(lambda: wait_until_answered(url).status_code == 200, "the server does not become ready", 60)

    def stop(self, port: int) -> None:
        """Stop a server by SIGTERM, and wait for its end."""
        self.servers.pop(port).close()

    def open_client(self) -> httpx.Client:
        """Return a client of the proxy with the token of an uploader."""
        return httpx.Client(base_url=self.url, headers=authorization_header(self.token), timeout=60)


@pytest.fixture(scope="module")
def site(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield two servers behind nginx, and a worker."""
    require_program("nginx")
    cases = create_query_cases(module_database_url)
    token = create_api_token(module_database_url, "read", "upload")
    site = Site(module_database_url, cases, (find_free_port(), find_free_port()), token)
    with running_worker(module_database_url):
        try:
            for port in site.ports:
                site.start(port)
            with running_nginx(tmp_path_factory.mktemp("nginx"), find_free_port(), site.ports) as site.url:
                yield site
        finally:
            for port in list(site.servers):
                site.stop(port)


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    require_program("nginx")
    done = check_configuration(write_configuration(tmp_path, 8080, (8001, 8002)))
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_nginx_rejects_a_faulty_configuration(tmp_path: Path) -> None:
    require_program("nginx")
    main = write_configuration(tmp_path, 8080, (8001, 8002))
    (tmp_path / "conf.d" / "ratesgraph-upstream.conf").unlink()
    done = check_configuration(main)
    assert done.returncode == 1
    assert "host not found in upstream" in done.stderr


def test_proxy_passes_on_queries_with_host_and_request_id(site: Site) -> None:
    with site.open_client() as http:
        answer = http.post("/graphql", json={"query": "{ __typename }"})
        assert answer.json() == {"data": {"__typename": "Query"}}
        assert answer.headers["x-request-id"]
        # The host has its port, so that the page of this address may write.
        body = {"query": UPLOAD, "variables": {"input": {"prices": [PRICE], "waitMs": 0}}}
        answer = http.post("/graphql", json=body, headers={"Origin": site.url})
        assert answer.json()["data"]["uploadPrices"]["userErrors"] == []


def test_proxy_passes_on_a_file_larger_than_its_buffers(site: Site) -> None:
    lines = "origin_code,destination_code,day,price\n" + "CNNGB,DEHAM,2025-01-01,5\n" * MORE_THAN_A_BUFFER
    form = {
        "operations": json.dumps({"query": UPLOAD_FILE, "variables": {"file": None}}),
        "map": '{"0":["variables.file"]}',
    }
    with site.open_client() as http:
        answer = http.post("/graphql", data=form, files={"0": ("prices.csv", lines)}, headers=PREFLIGHT).json()
    payload = answer["data"]["uploadPriceFile"]
    assert payload["userErrors"] == []
    assert (payload["batch"]["status"], payload["batch"]["itemCount"]) == ("APPLIED", MORE_THAN_A_BUFFER)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_proxy_passes_on_events_as_they_happen(site: Site, transport: str) -> None:
    numbers: list[int] = []
    with (
        ThreadPoolExecutor(1) as pool,
        site.open_client() as http,
        open_subscription(site.url, transport, CHANGES, site.token) as results,
    ):
        first = pool.submit(next, results)

        def upload_until_seen() -> bool:
            payload = Client(http).ask(UPLOAD, input={"prices": [PRICE], "waitMs": 30_000})["uploadPrices"]
            numbers.append(payload["batch"]["number"])
            return first.done()

        # The stream opens before the server has begun to watch the lane: an upload in between is none of its changes.
        eventually(upload_until_seen, "no event arrived")
        change = first.result()["data"]["pricesChanged"]["batch"]
    assert change["number"] in numbers
    assert change["status"] == "APPLIED"


def test_proxy_passes_on_the_pages_with_their_assets(site: Site) -> None:
    require_pages()
    with site.open_client() as http:
        page = http.get("/", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
        script = page.text.partition('src="')[2].partition('"')[0]
        assert http.get(script).status_code == 200


def test_restart_of_each_server_behind_the_proxy_loses_no_upload(site: Site) -> None:
    with (
        site.open_client() as http,
        uploading(Client(http), 2, key="restart") as uploads,
        reading(site.url, site.cases, persistent=4, short_lived=4) as readings,
    ):
        readings.wait_for(50)
        for port in site.ports:
            site.stop(port)
            readings.wait_for(50)
            site.start(port)
            readings.wait_for(50)
        uploads.wait_for(2)
    # The uploads change what some queries return.
    failed = [one for one in readings.all if one.status != 200 or "errors" in one.problem]
    failed_uploads = [answer for answer in uploads.answers if not answer.is_stored]
    assert len(failed) + len(failed_uploads) <= MAX_RESETS * len(site.ports), [*failed, *failed_uploads]
    assert all(answer.status == BAD_GATEWAY for answer in failed_uploads)
    eventually(
        lambda: all(read_outcomes(site.database_url)[key] == ("APPLIED", 1, 1) for key in uploads.stored),
        "an upload was lost or applied twice",
        60,
    )


def test_proxy_passes_on_the_refusal_of_servers_without_a_database(tmp_path: Path, database_url: str) -> None:
    require_program("nginx")
    ports = find_free_port(), find_free_port()
    settings = {"RATESGRAPH_DATABASE_WAIT_SECONDS": "0.2", "RATESGRAPH_CACHE_BYTES": "0"}
    query = {"query": '{ locations(search: "x") { edges { node { key } } } }'}

    def ask() -> httpx.Response:
        return httpx.post(f"{url}/graphql", json=query, timeout=60)

    with ExitStack() as servers, running_database_proxy(database_url) as (proxy, proxied_url):
        for port in ports:
            servers.enter_context(serving(proxied_url, "--port", str(port), settings=settings))
        with running_nginx(tmp_path, find_free_port(), ports) as url:
            eventually(lambda: ask().status_code == 200, "no answer", 60)
            database, proxy.server = proxy.server, None
            proxy.reset()
            eventually(lambda: ask().status_code == 503, "no refusal", 60)
            refused = ask()
            assert refused.status_code == 503
            assert refused.json()["errors"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"
            assert "retry-after" in refused.headers
            proxy.server = database
            eventually(lambda: ask().status_code == 200, "no answer after the outage", 60)
