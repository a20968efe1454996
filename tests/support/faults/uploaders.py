"""Load-generating uploaders: they repeat an upload with its key until it is acknowledged."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psycopg

from tests.support.fixtures.server import Client
from tests.support.waiting import DEADLINE_SECONDS, eventually

UPLOAD = """
mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { number } userErrors { code } } }
"""
PRICE = {"dateFrom": "2024-01-01", "origin": "CNSGH", "destination": "NLRTM", "price": 5}
TIMEOUT_SECONDS = 40.0
PAUSE_SECONDS = 0.05
"""Pause between two uploads, and before an upload is repeated."""
OUTCOMES = """
SELECT b.idempotency_key, b.status, b.attempts, count(p.batch_id)
FROM price_batches b LEFT JOIN prices p ON p.batch_id = b.id
WHERE b.idempotency_key IS NOT NULL
GROUP BY b.id
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """Response to an upload: when it was sent, HTTP status, error code and `Retry-After`."""

    sent_at: float
    status: int
    code: str | None
    retry_after: str | None

    @property
    def is_stored(self) -> bool:
        """Whether the upload was acknowledged."""
        return self.status == 200 and self.code is None

    @property
    def is_refused(self) -> bool:
        """Whether the client was told to try again, because the database is unavailable."""
        return (self.status, self.code) == (503, "DATABASE_UNAVAILABLE") and self.retry_after is not None


@dataclass
class Uploads:
    """Responses to all uploads so far, and the acknowledged batches by key."""

    answers: list[Answer] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)

    @property
    def unexpected(self) -> list[Answer]:
        """Responses that are neither an acknowledgement nor a request to try again."""
        return [answer for answer in self.answers if not (answer.is_stored or answer.is_refused)]

    def wait_for(self, count: int) -> None:
        """Wait until this many more uploads are acknowledged."""
        least = len(self.stored) + count
        eventually(lambda: len(self.stored) >= least, "no upload is acknowledged")


@contextmanager
def uploading(client: Client, count: int, key: str = "upload") -> Iterator[Uploads]:
    """Run uploaders of batches of one item until the end of the block.

    Every upload that was begun is completed. The idempotency keys begin with `key`.
    """
    uploads, stopping = Uploads(), threading.Event()

    def run(uploader: int) -> None:
        with httpx.Client(base_url=client.http.base_url, headers=client.http.headers, timeout=TIMEOUT_SECONDS) as http:
            number = 0
            while not stopping.is_set():
                number += 1
                _upload(http, uploads, f"{key}-{uploader}-{number}")
                stopping.wait(PAUSE_SECONDS)

    threads = [threading.Thread(target=run, args=[uploader]) for uploader in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield uploads
    finally:
        stopping.set()
        for thread in threads:
            thread.join(timeout=DEADLINE_SECONDS)
            assert not thread.is_alive(), "an upload was not completed"


def _upload(http: httpx.Client, uploads: Uploads, key: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    body = {"query": UPLOAD, "variables": {"input": {"prices": [PRICE], "idempotencyKey": key, "waitMs": 0}}}
    while time.monotonic() < deadline:
        sent_at = time.monotonic()
        response = http.post("/graphql", json=body)
        if "json" not in response.headers["content-type"]:
            # The response is that of a proxy.
            uploads.answers.append(Answer(sent_at, response.status_code, "NO_JSON", None))
            time.sleep(PAUSE_SECONDS)
            continue
        answer = response.json()
        code = answer["errors"][0]["extensions"]["code"] if "errors" in answer else None
        uploads.answers.append(Answer(sent_at, response.status_code, code, response.headers.get("retry-after")))
        if code is None:
            uploads.stored[key] = answer["data"]["uploadPrices"]["batch"]["number"]
            return
        time.sleep(PAUSE_SECONDS)


def read_outcomes(database_url: str) -> dict[str, tuple[str, int, int]]:
    """Return the status, the counted attempts and the stored prices of each upload, by key."""
    with psycopg.connect(database_url) as connection:
        return {key: (status, attempts, prices) for key, status, attempts, prices in connection.execute(OUTCOMES)}
