"""Batch ownership: only the uploader and admins see a batch; to others it does not exist."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from resolvers.relay.global_ids import encode_batch_id, parse_batch_id
from tests.support.batches.uploads import VALID_ITEM, create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.databases.background_statements import is_background
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.fixtures.subscriptions import Watched
from tests.support.http.subscriptions import each_transport
from tests.support.streams import open_events, open_subscription
from tests.support.tokens import authorization_header, create_api_token

UPLOAD = """mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) {
  replayed batch { id status uploader idempotencyKey } userErrors { code }
} }"""
BY_ID = "query ($id: ID!) { batch(id: $id) { id } }"
BY_KEY = 'query { batchByKey(idempotencyKey: "monday") { id } }'
NODE = "query ($id: ID!) { node(id: $id) { id } }"
NODES = "query ($id: ID!) { nodes(ids: [$id]) { id } }"
LIST = "query ($first: Int) { batches(first: $first) { totalCount edges { cursor node { id } } pageInfo { hasNextPage } } }"
REVERT = (
    "mutation ($id: ID!) { revertBatch(id: $id) { batch { id status } userErrors { item field code message value } } }"
)
PROGRESS = "subscription ($id: ID!) { batchProgress(id: $id) { id } }"
CHANGES = """subscription {
  pricesChanged(origin: "CNSGH", destination: "NLRTM") { status firstDay lastDay batch { id source } }
}"""
MISSING = encode_batch_id(999)


@dataclass
class Parties:
    """A server, and the tokens of two uploaders, an admin and a read-only client."""

    client: Client
    url: str
    uploader: str
    other_uploader: str
    admin: str
    reader: str

    def ask(self, token: str, query: str, **variables: object) -> Json:
        """Return the data of the response to a query with the token."""
        self.client.http.headers.update(authorization_header(token))
        return self.client.ask(query, **variables)

    def upload(self, token: str, key: str = "monday", price: int = 5) -> Json:
        """Upload an item and return the payload once it is applied."""
        item = {**VALID_ITEM, "price": price}
        payload: Json = self.ask(token, UPLOAD, input={"prices": [item], "waitMs": 30_000, "idempotencyKey": key})[
            "uploadPrices"
        ]
        return payload


@pytest.fixture
def parties(database_url: str) -> Iterator[Parties]:
    create_locations(database_url)
    own, foreign = (create_api_token(database_url, "upload", name=name) for name in ("own", "foreign"))
    admin, reader = (create_api_token(database_url, scope, name=scope) for scope in ("admin", "read"))
    with running_worker(database_url), running_server(database_url, writes_are_open=False) as client:
        yield Parties(client, str(client.http.base_url), own, foreign, admin, reader)


def test_batch_is_visible_only_to_its_uploader_and_admins(parties: Parties) -> None:
    batch = parties.upload(parties.uploader)["batch"]
    assert batch["uploader"] == "token:own"
    for token, expected in (
        (parties.uploader, {"id": batch["id"]}),
        (parties.admin, {"id": batch["id"]}),
        (parties.other_uploader, None),
    ):
        assert parties.ask(token, BY_ID, id=batch["id"])["batch"] == expected
        assert parties.ask(token, LIST)["batches"]["totalCount"] == (expected is not None)
    assert parties.ask(parties.other_uploader, BY_ID, id=batch["id"]) == parties.ask(
        parties.other_uploader, BY_ID, id=MISSING
    )


def test_batch_list_excludes_batches_of_other_uploaders(parties: Parties) -> None:
    own = [
        parties.upload(token, f"key {number}")["batch"]["id"]
        for number, token in enumerate([parties.uploader, parties.other_uploader] * 2)
    ]
    page = parties.ask(parties.uploader, LIST, first=1)["batches"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (2, True)
    everything = parties.ask(parties.uploader, LIST)["batches"]["edges"]
    assert [edge["node"]["id"] for edge in everything] == [own[2], own[0]]


def test_idempotency_key_is_scoped_to_its_uploader(parties: Parties) -> None:
    own, foreign = parties.upload(parties.uploader), parties.upload(parties.other_uploader, price=6)
    assert own["batch"]["id"] != foreign["batch"]["id"]
    assert parties.upload(parties.uploader) == {**own, "replayed": True}
    assert parties.upload(parties.uploader, price=6)["userErrors"] == [{"code": "IDEMPOTENCY_KEY_REUSED"}]
    assert parties.ask(parties.uploader, BY_KEY)["batchByKey"] == {"id": own["batch"]["id"]}
    assert parties.ask(parties.admin, BY_KEY)["batchByKey"] is None


def test_batch_ownership_follows_the_token_name_after_rotation(parties: Parties, database_url: str) -> None:
    first = parties.upload(parties.uploader)
    successor = create_api_token(database_url, "upload", name="own")
    assert parties.upload(successor) == {**first, "replayed": True}


def test_batch_revert_is_permitted_only_for_its_uploader_and_admins(parties: Parties) -> None:
    for token in (parties.uploader, parties.admin):
        batch_id = parties.upload(parties.uploader, f"for {token[:20]}")["batch"]["id"]
        refused = parties.ask(parties.other_uploader, REVERT, id=batch_id)
        assert refused == parties.ask(parties.other_uploader, REVERT, id=MISSING)
        assert refused["revertBatch"]["userErrors"][0]["code"] == "UNKNOWN_BATCH"
        done = parties.ask(token, REVERT, id=batch_id)["revertBatch"]
        assert done == {"batch": {"id": batch_id, "status": "REVERTED"}, "userErrors": []}


def test_batch_rejections_download_is_permitted_only_for_its_uploader_and_admins(parties: Parties) -> None:
    parties.ask(parties.uploader, UPLOAD, input={"prices": [{**VALID_ITEM, "price": "x"}], "waitMs": 30_000})

    def status(token: str, batch_id: str) -> tuple[int, str]:
        answer = parties.client.http.get(f"/batches/{batch_id}/rejections.csv", headers=authorization_header(token))
        return answer.status_code, answer.text if answer.status_code != 200 else ""

    assert [status(token, encode_batch_id(1)) for token in (parties.uploader, parties.admin)] == [(200, "")] * 2
    assert status(parties.other_uploader, encode_batch_id(1)) == status(parties.other_uploader, MISSING)
    assert status(parties.other_uploader, encode_batch_id(1))[0] == 404


@each_transport
def test_batch_progress_subscription_is_permitted_only_for_uploader_and_admins(
    parties: Parties, transport: str
) -> None:
    batch_id = parties.upload(parties.uploader)["batch"]["id"]

    def first(token: str, id_: str) -> Json:
        with open_subscription(parties.url, transport, PROGRESS, token, id=id_) as answers:
            return next(answers)

    for token in (parties.uploader, parties.admin):
        assert first(token, batch_id) == {"data": {"batchProgress": {"id": batch_id}}}
    assert first(parties.other_uploader, batch_id) == first(parties.other_uploader, MISSING)
    assert first(parties.other_uploader, batch_id)["errors"][0]["extensions"]["code"] == "UNKNOWN_BATCH"


@each_transport
def test_price_changes_subscription_hides_the_batch_from_other_callers(watched: Watched, transport: str) -> None:
    url = watched.database_url
    own, *others = (create_api_token(url, "upload", "read", name=name) for name in ("own", "foreign", "other"))
    tokens = {
        own: True,
        create_api_token(url, "admin"): True,
        create_api_token(url, "read"): False,
        **dict.fromkeys(others, False),
    }
    with ExitStack() as stack:
        streams = [stack.enter_context(open_subscription(watched.url, transport, CHANGES, token)) for token in tokens]
        watched.wait_for_watchers(len(tokens))
        stack.enter_context(running_worker(url))
        watched.client.http.headers.update(authorization_header(own))
        batch = watched.client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 0})["uploadPrices"]["batch"]
        for answers, sees_it in zip(streams, tokens.values(), strict=True):
            event = next(answers)["data"]["pricesChanged"]
            assert event.pop("batch") == ({"id": batch["id"], "source": "uploadPrices"} if sees_it else None)
            assert event == {"status": "APPLIED", "firstDay": "2024-01-01", "lastDay": "2024-01-02"}


@pytest.mark.parametrize("state", ["queued", "applied", "rejected", "reverted"])
def test_batch_of_another_uploader_is_byte_for_byte_equal_to_a_missing_one(database_url: str, state: str) -> None:
    create_locations(database_url)
    own, foreign = (create_api_token(database_url, "upload", name=name) for name in ("own", "foreign"))
    with running_server(database_url, writes_are_open=False) as client:
        parties = Parties(client, str(client.http.base_url), own, foreign, "", "")
        item = {**VALID_ITEM, "price": "x"} if state == "rejected" else VALID_ITEM
        options = {"prices": [item], "waitMs": 0 if state == "queued" else 20_000, "idempotencyKey": "monday"}
        with ExitStack() as stack:
            if state != "queued":
                stack.enter_context(running_worker(database_url))
            batch = parties.ask(own, UPLOAD, input=options)["uploadPrices"]["batch"]
            if state == "reverted":
                batch = parties.ask(own, REVERT, id=batch["id"])["revertBatch"]["batch"]
        assert batch["status"] == state.upper()
        assert responses_to(parties, foreign, batch["id"]) == responses_to(parties, foreign, MISSING)
        # The owner gets a different response on each access path, so every path does reach the batch.
        missing = responses_to(parties, own, MISSING)
        assert not [path for path, found in responses_to(parties, own, batch["id"]).items() if found == missing[path]]
        by_key = {"query": BY_KEY}
        answers = [
            client.http.post("/graphql", json=by_key, headers=authorization_header(token)) for token in (foreign, own)
        ]
        assert [answer.json()["data"]["batchByKey"] for answer in answers] == [None, {"id": batch["id"]}]


def responses_to(parties: Parties, token: str, batch_id: str) -> dict[str, object]:
    """Return the response of each access path to a batch: bytes, status and headers."""
    http, headers = parties.client.http, authorization_header(token)
    path = f"/batches/{batch_id}/rejections.csv"
    stream = {**headers, "Accept": "text/event-stream"}
    body = {"variables": {"id": batch_id}}
    by_number = {"query": BY_ID, "variables": {"id": parse_batch_id(batch_id)}}
    found: dict[str, httpx.Response | bytes] = {
        "batch": http.post("/graphql", json={"query": BY_ID, **body}, headers=headers),
        "batch by number": http.post("/graphql", json=by_number, headers=headers),
        "node": http.post("/graphql", json={"query": NODE, **body}, headers=headers),
        "nodes": http.post("/graphql", json={"query": NODES, **body}, headers=headers),
        "batch by GET": http.get(
            "/graphql", params={"query": BY_ID, "variables": f'{{"id":"{batch_id}"}}'}, headers=headers
        ),
        "batch by stream": http.post("/graphql", json={"query": BY_ID, **body}, headers=stream),
        "progress": _first_event(parties, token, batch_id),
        "download": http.get(path, headers=headers),
        "head": http.head(path, headers=headers),
        # The last one, because it changes the data.
        "revert": http.post("/graphql", json={"query": REVERT, **body}, headers=headers),
    }
    return {path: answer if isinstance(answer, bytes) else _comparable(answer) for path, answer in found.items()}


CHANGING_HEADERS = {"date", "ratelimit", "ratesgraph-version", "x-request-id"}
"""Headers whose values differ between any two responses."""


def _comparable(answer: httpx.Response) -> object:
    headers = {name: "" if name in CHANGING_HEADERS else value for name, value in answer.headers.items()}
    return answer.status_code, answer.content, headers


def _first_event(parties: Parties, token: str, batch_id: str) -> bytes:
    """Return the first event of a batch's progress, as sent."""
    with open_events(parties.url, PROGRESS, {"id": batch_id}, token) as response:
        return b"".join(itertools.islice(response.iter_raw(), 1))


def test_batch_loaded_by_the_cli_is_visible_only_to_admins(database_url: str, tmp_path: Path) -> None:
    create_locations(database_url)
    own, admin = (create_api_token(database_url, scope, name=scope) for scope in ("upload", "admin"))
    (tmp_path / "prices.csv").write_text("origin_code,destination_code,day,price\nCNSGH,NLRTM,2024-01-01,1\n")
    ratesgraph_in_process(database_url, "prices", "load", tmp_path / "prices.csv")
    with running_server(database_url, writes_are_open=False) as client:
        parties = Parties(client, str(client.http.base_url), own, "", admin, "")
        assert parties.ask(admin, LIST)["batches"]["totalCount"] == 1
        assert parties.ask(own, LIST)["batches"]["totalCount"] == 0
        assert responses_to(parties, own, encode_batch_id(1)) == responses_to(parties, own, MISSING)


def test_batch_of_another_uploader_causes_the_same_statements_as_a_missing_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The response time depends on the statements. If they are the same, it reveals nothing.
    create_locations(database_url)
    own, foreign = (create_api_token(database_url, "upload", name=name) for name in ("own", "foreign"))
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def recording(self: psycopg.AsyncCursor[Any], query: bytes, *args: Any, **kwargs: Any) -> object:  # noqa: ANN401
        if not is_background(query):
            sent.append(query.decode())
        return await execute(self, query, *args, **kwargs)

    with running_server(database_url, writes_are_open=False) as client:
        parties = Parties(client, str(client.http.base_url), own, foreign, "", "")
        batch = parties.ask(own, UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 0})["uploadPrices"]["batch"]
        monkeypatch.setattr(psycopg.AsyncCursor, "execute", recording)
        responses_to(parties, foreign, MISSING)
        missing = list(sent)
        sent.clear()
        responses_to(parties, foreign, batch["id"])
    # Ten of the batch, and the position of the log for each response about batches.
    assert len(missing) == 16
    assert sent == missing
