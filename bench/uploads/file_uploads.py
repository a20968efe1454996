"""`bench uploads`, files: a million lines through server, queue and worker.

The baselines are the ingest engine alone and naive INSERTs.
"""

import os
import time
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import orjson
from rich.console import Console
from rich.table import Table

from bench.data.database import clear_prices, open_world, uploader_headers
from bench.data.world import SEED, Shape, make_csv
from bench.processes import peak_memory, running_server, running_workers
from bench.scale import Scale, time_call
from bench.uploads.naive_baseline import load_naively
from db.connection import Connection
from domain.batches import FileFormat, OnError
from ingest.batches.load import load_file

ITEMS, LARGE_ITEMS = 1_000_000, 5_000_000
FIRST_DAY, DAYS = date(2025, 6, 1), 30
UPLOAD = """
mutation ($file: Upload!) {
  uploadPriceFile(file: $file, input: { waitMs: 30000 }) { batch { id status } userErrors { message } }
}
"""
STATUS = "query ($id: ID!) { batch(id: $id) { status } }"
POLL_SECONDS = 0.05
GOAL_RATIO, GOAL_NAIVE, GOAL_MEGABYTES = 1.6, 5, 1_500


async def bench_file_uploads(console: Console, server_url: str, scale: Scale) -> None:
    """Measure the time for a large file each way, and the worker's memory for a larger file."""
    items, large_items = scale.size(ITEMS), scale.size(LARGE_ITEMS)
    async with open_world(server_url, "bench_files") as connection:
        environment = {**os.environ, "DATABASE_URL": connection.info.dsn}
        with (
            console.status("files"),
            TemporaryDirectory() as folder,
            running_server(environment) as url,
            httpx.Client(base_url=url, headers=await uploader_headers(connection), timeout=120) as http,
        ):
            file = _write(Path(folder) / "prices.csv", items)
            with running_workers(environment, 1):
                engine, queued = await _measure_both(connection, http, file, scale.rounds)
            await clear_prices(connection)
            start = time.perf_counter()
            load_naively(connection.info.dsn, file)
            naive = time.perf_counter() - start
            file = _write(Path(folder) / "large.csv", large_items)
            with running_workers(environment, 1) as (worker,):
                large = _upload(http, file)
                peak = peak_memory(worker.pid) / 1e6
    console.print(
        f"\nFiles of one-day items; medians of {scale.rounds}, naive INSERTs once. They insert {items:,} rows, 1,000 per"
        "\ntransaction, into a table with one index, and upsert sums by lane and day. They validate and convert nothing and"
        "\nstore no averages of regions: each query about a region would still have to sum its ports."
    )
    table = Table("method", "s", "ratio", "goal")
    table.add_row(f"{items:,} items, ingest engine alone (`load_file`)", f"{engine:.1f}", "", "")
    ratio = f"{queued / engine:.2f} × the engine"
    table.add_row(f"{items:,} items by `uploadPriceFile`, until applied", f"{queued:.1f}", ratio, f"{GOAL_RATIO}")
    table.add_row(
        f"{items:,} items, naive INSERTs",
        f"{naive:.1f}",
        f"{naive / queued:.1f} × Ratesgraph",
        f"at least {GOAL_NAIVE}",
    )
    table.add_row(f"{large_items:,} items by `uploadPriceFile`, until applied", f"{large:.1f}", "", "")
    table.add_row("peak memory of its worker", "", f"{peak:,.0f} MB", f"{GOAL_MEGABYTES:,} MB")
    console.print(table)


async def _measure_both(connection: Connection, http: httpx.Client, file: Path, rounds: int) -> tuple[float, float]:
    """Return the median seconds of the engine alone and of a complete upload.

    They alternate, each on an empty database.
    """
    engine, queued = list[float](), list[float]()
    for _ in range(rounds):
        await clear_prices(connection)
        engine.append(await time_call(lambda: _apply(connection, file)))
        await clear_prices(connection)
        queued.append(_upload(http, file))
    return median(engine), median(queued)


def _write(file: Path, items: int) -> Path:
    """Write one-day items, a million at a time."""
    with file.open("wb") as out:
        for number, first in enumerate(range(0, items, ITEMS)):
            data = make_csv(Shape(min(ITEMS, items - first), 1, FIRST_DAY, DAYS), seed=SEED + number)
            out.write(data if number == 0 else data.split(b"\n", 1)[1])
    return file


async def _apply(connection: Connection, file: Path) -> None:
    with file.open("rb") as data:
        await load_file(connection, data, FileFormat.CSV, source=file.name, on_error=OnError.REJECT_BATCH, again=True)


def _upload(http: httpx.Client, file: Path) -> float:
    """Upload the file and return the seconds until it is applied.

    The request follows the GraphQL multipart request specification.
    """
    operations = orjson.dumps({"query": UPLOAD, "variables": {"file": None}}).decode()
    start = time.perf_counter()
    with file.open("rb") as data:
        response = http.post(
            "/graphql",
            data={"operations": operations, "map": '{"0": ["variables.file"]}'},
            files={"0": (file.name, data, "text/csv")},
            headers={"GraphQL-Require-Preflight": "1"},
        ).json()
    assert "errors" not in response, response["errors"][0]
    batch = response["data"]["uploadPriceFile"]["batch"]
    while batch["status"] in {"QUEUED", "RUNNING"}:
        time.sleep(POLL_SECONDS)
        body = {"query": STATUS, "variables": {"id": batch["id"]}}
        batch |= http.post("/graphql", json=body).json()["data"]["batch"]
    assert batch["status"] == "APPLIED", batch
    return time.perf_counter() - start
