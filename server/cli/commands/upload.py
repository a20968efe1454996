"""`ratesgraph prices upload`: idempotent upload of files to a server over HTTP.

Each batch has an idempotency key made of the file's content and options. The command queries the key before it sends a
file, and the server rejects a second batch with the same key. So a run continues wherever the one before was interrupted.
"""

import csv
import hashlib
import io
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.progress import DownloadColumn, TransferSpeedColumn

from domain.batches import BatchOutcome, BatchStatus, OnError, Rejection, Severity
from domain.paths import printable
from server.cli.api_client import ApiClient, Json, UploadRejected, open_client
from server.cli.commands.batch_report import SHOWN_REJECTIONS, print_outcome
from server.cli.console import print_error, print_line, progress_bar

POLL_SECONDS = 0.3
PAGE_SIZE = 500
REPORT_COLUMNS = ("file", "item", "field", "code", "severity", "message", "value")

BATCH_BY_KEY = "query ($key: String!) { batchByKey(idempotencyKey: $key) { number status } }"
UPLOAD = """
mutation ($file: Upload!, $input: UploadPriceFileInput!) {
  uploadPriceFile(file: $file, input: $input) { batch { number } userErrors { code message } }
}
"""
BATCH = """
query ($id: ID!) {
  batch(id: $id) { status progress itemCount acceptedCount rejectedCount priceDayCount failure }
}
"""
REJECTIONS = """
query ($id: ID!, $first: Int!, $after: String) {
  batch(id: $id) {
    rejections(first: $first, after: $after) {
      pageInfo { hasNextPage endCursor }
      edges { node { item field code severity message value } }
    }
  }
}
"""

Report = Callable[[str, Iterator[Rejection]], None]


def upload(
    files: list[Path],
    *,
    url: str,
    token: str | None,
    insecure: bool,
    skip_invalid: bool,
    again: bool,
    rejections: Path | None,
) -> bool:
    """Upload each file as a separate batch, wait for it, and return whether all were applied."""
    on_error = OnError.SKIP_INVALID if skip_invalid else OnError.REJECT_BATCH
    try:
        with ExitStack() as stack:
            report = None if rejections is None else _open_report(stack, rejections)
            client = stack.enter_context(open_client(url, token, insecure=insecure))
            uploaded = [_upload_one(client, file, on_error, report, again=again) for file in files]
    except KeyboardInterrupt:
        advice = "a new run with --again uploads all files again" if again else "run the command again to continue"
        print_error(f"Interrupted. Completely uploaded files will still be applied; {advice}.")
        raise SystemExit(130) from None
    return all(uploaded)


def _open_report(stack: ExitStack, path: Path) -> Report:
    """Open the report file before the first upload, and return a function that writes to it."""
    writer = csv.writer(stack.enter_context(path.open("w", encoding="utf-8", newline="")))
    writer.writerow(REPORT_COLUMNS)

    def write_report(name: str, rejections: Iterator[Rejection]) -> None:
        writer.writerows((name, r.item, r.field, r.code, r.severity, r.message, r.value) for r in rejections)

    return write_report


def _upload_one(client: ApiClient, file: Path, on_error: OnError, report: Report | None, *, again: bool) -> bool:
    """Upload one file, print the result, and return whether it was applied."""
    try:
        batch_id, had_ended = _upload_unless_known(client, file, on_error, again=again)
        batch = _wait_for_end(client, file, batch_id)
    except OSError as error:
        print_error(f"{file}: {error.strerror or error}")
        return False
    except UploadRejected as error:
        print_error(f"{file.name}: {error}")
        return False
    return _report_outcome(client, file, batch_id, batch, report, had_ended=had_ended)


def _upload_unless_known(client: ApiClient, file: Path, on_error: OnError, *, again: bool) -> tuple[int, bool]:
    """Send the file unless the server has it.

    Return the batch's number and whether it had ended.
    """
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    key = f"again:{uuid.uuid4()}" if again else f"file:sha256:{digest}:{on_error}"
    known = client.query(BATCH_BY_KEY, key=key)["batchByKey"]
    if known is not None:
        return known["number"], BatchStatus(known["status"]).has_ended
    with progress_bar(DownloadColumn(), TransferSpeedColumn()) as progress:
        task = progress.add_task(f"{file.name}: sending", total=file.stat().st_size)
        with _ProgressFile(file, lambda position: progress.update(task, completed=position)) as content:
            options = {"onError": on_error, "idempotencyKey": key, "waitMs": 0}
            payload = client.upload(UPLOAD, content, printable(file.name), input=options)["uploadPriceFile"]
    if payload["batch"] is None:
        (problem, *_) = payload["userErrors"]
        raise UploadRejected(f"{problem['code']}: {problem['message']}")
    return payload["batch"]["number"], False


class _ProgressFile(io.BufferedReader):
    """File that reports its position after each read; a retry starts again at the beginning."""

    def __init__(self, path: Path, on_read: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self._on_read = on_read

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, then report the position."""
        data = super().read(size)
        self._on_read(self.tell())
        return data


def _wait_for_end(client: ApiClient, file: Path, batch_id: int) -> Json:
    """Return the batch once it has reached a final status."""
    with progress_bar() as progress:
        task = progress.add_task(f"{file.name}: waiting for a worker", total=1.0)
        while True:
            batch = client.query(BATCH, id=batch_id)["batch"]
            if batch is None:
                raise UploadRejected(f"batch {batch_id} no longer exists on the server; upload the file again.")
            status = BatchStatus(batch["status"])
            if status.has_ended:
                return dict(batch)
            if status is BatchStatus.RUNNING:
                progress.update(task, description=f"{file.name}: applying", completed=batch["progress"])
            time.sleep(POLL_SECONDS)


def _report_outcome(
    client: ApiClient, file: Path, batch_id: int, batch: Json, report: Report | None, *, had_ended: bool
) -> bool:
    """Print the result of the file and return whether it was applied."""
    if report is not None:
        report(file.name, _read_rejections(client, batch_id))
    match BatchStatus(batch["status"]):
        case BatchStatus.APPLIED if had_ended:
            print_line(
                f"{file.name}: already uploaded as batch {batch_id}, nothing changed (--again uploads it again)."
            )
            return True
        case BatchStatus.REVERTED:
            print_error(
                f"{file.name}: previously uploaded as batch {batch_id} and reverted (--again uploads it again)."
            )
            return False
        case BatchStatus.FAILED:
            print_error(f"{file.name}: batch {batch_id} failed: {batch['failure']} (--again uploads it again).")
            return False
    counts = (batch["itemCount"], batch["acceptedCount"], batch["rejectedCount"])
    outcome = BatchOutcome(BatchStatus(batch["status"]), *counts, price_day_count=int(batch["priceDayCount"]))
    first = list(_read_rejections(client, batch_id, limit=SHOWN_REJECTIONS))
    print_outcome(file.name, batch_id, outcome, first)
    return outcome.status is BatchStatus.APPLIED


def _read_rejections(client: ApiClient, batch_id: int, limit: int | None = None) -> Iterator[Rejection]:
    """Yield the batch's problems in the order of its items: all, or the first `limit`."""
    after = None
    while True:
        page = client.query(REJECTIONS, id=batch_id, first=limit or PAGE_SIZE, after=after)["batch"]["rejections"]
        for edge in page["edges"]:
            yield Rejection(**{**edge["node"], "severity": Severity(edge["node"]["severity"])})
        after = page["pageInfo"]["endCursor"]
        if limit is not None or not page["pageInfo"]["hasNextPage"]:
            return
