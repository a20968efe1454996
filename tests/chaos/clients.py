"""A client that follows the API contract: it retries with the same key until acknowledged."""

import time
from random import Random
from typing import Any

import httpx

from tests.chaos.ledger import DeadlineExceeded, Ledger
from tests.chaos.scale import DEADLINE_SECONDS, Scale
from tests.chaos.uploads import Batch, make_batch
from tests.support.tokens import authorization_header

UPLOAD = """
mutation ($input: UploadPricesInput!) {
  uploadPrices(input: $input) { replayed batch { number status } userErrors { code } }
}
"""
REVERT = "mutation ($id: ID!) { revertBatch(id: $id) { batch { id status } userErrors { code } } }"
TRANSIENT_CODES = {
    "DATABASE_UNAVAILABLE",
    "SERVER_BUSY",
    "STATEMENT_TIMEOUT",
    "TREE_CHANGE_RUNNING",
    "INTERNAL_ERROR",
}
"""Error codes of transient failures, which a client retries."""
TIMEOUT_SECONDS, SHORT_TIMEOUT_SECONDS = 15.0, 0.03
Json = dict[str, Any]


class UnexpectedResponse(Exception):
    """The API sent a response that its contract forbids."""


class Client:
    """Uploads batches one after the other; repeats some uploads and reverts some batches."""

    def __init__(self, number: int, scale: Scale, base_url: str, token: str, ledger: Ledger) -> None:
        self._random = Random(f"client-{scale.seed}-{number}")  # noqa: S311
        self._seed = scale.seed
        self._base_url = base_url
        self._headers = authorization_header(token)
        self._ledger = ledger
        self._to_revert: list[int] = []

    def run(self) -> None:
        """Upload until the last batch, then revert until no revert is pending."""
        with httpx.Client(base_url=self._base_url, headers=self._headers, timeout=TIMEOUT_SECONDS) as http:
            while (number := self._ledger.next_number()) is not None:
                batch = make_batch(self._seed, number)
                self._upload(http, batch)
                if self._random.random() < 0.1:
                    self._upload(http, batch, again=True)
                if self._random.random() < 0.03:
                    self._upload_other_items(http, batch)
                self._to_revert = [batch_id for batch_id in self._to_revert if not self._revert(http, batch_id)]
            deadline = time.monotonic() + DEADLINE_SECONDS
            while self._to_revert:
                if time.monotonic() > deadline:
                    raise DeadlineExceeded(f"batches {self._to_revert} could not be reverted in time")
                self._ledger.pause(0.1)
                self._to_revert = [batch_id for batch_id in self._to_revert if not self._revert(http, batch_id)]

    def _upload(self, http: httpx.Client, batch: Batch, *, again: bool = False) -> None:
        wait_ms = self._random.choice([0, 0, 100, 500])
        answer = self._send_with_retries(
            http, UPLOAD, {"input": batch.as_input(wait_ms)}, impatient=self._random.random() < 0.03
        )
        payload = answer["uploadPrices"]
        if payload["batch"] is None or (again and not payload["replayed"]):
            raise UnexpectedResponse(f"upload {batch.key}: {payload}")
        batch_id = int(payload["batch"]["number"])
        self._ledger.acknowledge(batch, batch_id)
        if batch.reverted and not again and batch.end == "REVERTED":
            self._to_revert.append(batch_id)

    def _upload_other_items(self, http: httpx.Client, batch: Batch) -> None:
        """Reuse the key of an acknowledged batch for other items: the API must reject it."""
        other = {**batch.as_input(0), "prices": batch.prices * 2}
        payload = self._send_with_retries(http, UPLOAD, {"input": other})["uploadPrices"]
        if payload["batch"] is not None or payload["userErrors"] != [{"code": "IDEMPOTENCY_KEY_REUSED"}]:
            raise UnexpectedResponse(f"key {batch.key} with other items: {payload}")

    def _revert(self, http: httpx.Client, batch_id: int) -> bool:
        """Try to revert the batch; return whether it is reverted.

        An earlier attempt with a lost response counts as well.
        """
        payload = self._send_with_retries(http, REVERT, {"id": str(batch_id)})["revertBatch"]
        status, codes = payload["batch"]["status"], [error["code"] for error in payload["userErrors"]]
        if (codes and codes != ["BATCH_NOT_APPLIED"]) or status not in {"QUEUED", "RUNNING", "APPLIED", "REVERTED"}:
            raise UnexpectedResponse(f"revert {batch_id}: {payload}")
        return bool(status == "REVERTED")

    def _send_with_retries(self, http: httpx.Client, query: str, variables: Json, *, impatient: bool = False) -> Json:
        """Send the request until its response is no transient failure.

        With `impatient`, the first attempt times out early.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        timeout = SHORT_TIMEOUT_SECONDS if impatient else TIMEOUT_SECONDS
        while True:
            data, failure = _send_once(http, {"query": query, "variables": variables}, timeout)
            self._ledger.count_request(failure)
            if data is not None:
                return data
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"no response except {failure} within {DEADLINE_SECONDS:.0f} s: {variables}")
            timeout = TIMEOUT_SECONDS
            self._ledger.pause(self._random.uniform(0.02, 0.3))


def _send_once(http: httpx.Client, body: Json, timeout: float) -> tuple[Json | None, str | None]:
    """Return the data, or the transient failure; raise UnexpectedResponse for anything else."""
    try:
        response = http.post("/graphql", json=body, timeout=timeout)
    except httpx.TransportError as error:
        return None, type(error).__name__
    if response.status_code >= 500:
        return None, f"HTTP {response.status_code}"
    answer: Json = response.json()
    errors = answer.get("errors", [])
    if not errors:
        data: Json = answer["data"]
        return data, None
    codes = {error.get("extensions", {}).get("code") for error in errors}
    if codes <= TRANSIENT_CODES:
        return None, " ".join(sorted(codes))
    raise UnexpectedResponse(f"HTTP {response.status_code}: {answer}")
