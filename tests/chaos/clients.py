"""A client that does what the API's promise asks of it: send the same again, with the same key, until it is acknowledged."""

import time
from random import Random
from typing import Any

import httpx

from tests.chaos.ledger import Ledger, Stuck
from tests.chaos.scale import DEADLINE_SECONDS, Scale
from tests.chaos.uploads import Batch, make_batch
from tests.support.tokens import authorization_header

UPLOAD = """
mutation ($input: UploadPricesInput!) {
  uploadPrices(input: $input) { replayed batch { id status } userErrors { code } }
}
"""
REVERT = "mutation ($id: ID!) { revertBatch(id: $id) { batch { id status } userErrors { code } } }"
PASSING = {"DATABASE_UNAVAILABLE", "SERVER_BUSY", "STATEMENT_TIMEOUT", "INTERNAL_ERROR"}
"""Codes of errors that a client may hope to outlast."""
PATIENCE_SECONDS, IMPATIENCE_SECONDS = 15.0, 0.03
Json = dict[str, Any]


class UnexpectedAnswer(Exception):
    """The API answered what it never may."""


class Client:
    """Uploads batches one after the other, some twice, and takes some back."""

    def __init__(self, number: int, scale: Scale, base_url: str, token: str, ledger: Ledger) -> None:
        self._random = Random(f"client-{scale.seed}-{number}")  # noqa: S311
        self._seed = scale.seed
        self._base_url = base_url
        self._headers = authorization_header(token)
        self._ledger = ledger
        self._to_revert: list[int] = []

    def run(self) -> None:
        """Work until there is nothing more to upload and nothing left to take back."""
        with httpx.Client(base_url=self._base_url, headers=self._headers, timeout=PATIENCE_SECONDS) as http:
            while (number := self._ledger.take_number()) is not None:
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
                    raise Stuck(f"batches {self._to_revert} could not be taken back in time")
                self._ledger.pause(0.1)
                self._to_revert = [batch_id for batch_id in self._to_revert if not self._revert(http, batch_id)]

    def _upload(self, http: httpx.Client, batch: Batch, *, again: bool = False) -> None:
        wait_ms = self._random.choice([0, 0, 100, 500])
        answer = self._ask(http, UPLOAD, {"input": batch.as_input(wait_ms)}, hasty=self._random.random() < 0.03)
        payload = answer["uploadPrices"]
        if payload["batch"] is None or (again and not payload["replayed"]):
            raise UnexpectedAnswer(f"upload {batch.key}: {payload}")
        batch_id = int(payload["batch"]["id"])
        self._ledger.acknowledge(batch, batch_id)
        if batch.reverted and not again and batch.end == "REVERTED":
            self._to_revert.append(batch_id)

    def _upload_other_items(self, http: httpx.Client, batch: Batch) -> None:
        """Misuse the key of an acknowledged batch: that must be refused and change nothing."""
        other = {**batch.as_input(0), "prices": batch.prices * 2}
        payload = self._ask(http, UPLOAD, {"input": other})["uploadPrices"]
        if payload["batch"] is not None or payload["userErrors"] != [{"code": "IDEMPOTENCY_KEY_REUSED"}]:
            raise UnexpectedAnswer(f"key {batch.key} with other items: {payload}")

    def _revert(self, http: httpx.Client, batch_id: int) -> bool:
        """Try to take the batch back; return whether it is, now or by an earlier try whose answer was lost."""
        payload = self._ask(http, REVERT, {"id": str(batch_id)})["revertBatch"]
        status, codes = payload["batch"]["status"], [error["code"] for error in payload["userErrors"]]
        if (codes and codes != ["BATCH_NOT_APPLIED"]) or status not in {"QUEUED", "RUNNING", "APPLIED", "REVERTED"}:
            raise UnexpectedAnswer(f"revert {batch_id}: {payload}")
        return bool(status == "REVERTED")

    def _ask(self, http: httpx.Client, query: str, variables: Json, *, hasty: bool = False) -> Json:
        """Ask until there is an answer that is no passing trouble. In haste, the first answer is not waited for."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        patience = IMPATIENCE_SECONDS if hasty else PATIENCE_SECONDS
        while True:
            data, trouble = _ask_once(http, {"query": query, "variables": variables}, patience)
            self._ledger.note_sent(trouble)
            if data is not None:
                return data
            if time.monotonic() > deadline:
                raise Stuck(f"no answer but {trouble} within {DEADLINE_SECONDS:.0f} s: {variables}")
            patience = PATIENCE_SECONDS
            self._ledger.pause(self._random.uniform(0.02, 0.3))


def _ask_once(http: httpx.Client, body: Json, patience: float) -> tuple[Json | None, str | None]:
    """Return the data, or else the passing trouble. Raise UnexpectedAnswer for everything else."""
    try:
        response = http.post("/graphql", json=body, timeout=patience)
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
    if codes <= PASSING:
        return None, " ".join(sorted(codes))
    raise UnexpectedAnswer(f"HTTP {response.status_code}: {answer}")
