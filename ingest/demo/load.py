"""Loads the demo data in one transaction, completely or not at all."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from importlib.resources import files

from db.connection import Connection
from db.repositories import batches
from domain.batches import OnError
from ingest.batches.apply import apply_slices
from ingest.demo.generate import MONTHS, generate_prices
from ingest.location_files import read_ports, read_regions
from ingest.readers.price_file import Slice
from ingest.tree import change_tree

SOURCE = "synthetic demo prices"


async def load_demo(
    connection: Connection, *, report: Callable[[float], None], today: date | None = None, months: int = MONTHS
) -> int:
    """Load the demo tree and prices of some months; return the number of daily prices.

    The last day is `today`, by default the current day. `report` receives the fraction done (0 to 1).
    """
    folder = files("ingest.demo")
    regions = read_regions(io.BytesIO(folder.joinpath("regions.csv").read_bytes()), "regions.csv")
    ports = read_ports(io.BytesIO(folder.joinpath("ports.csv").read_bytes()), "ports.csv")
    last_day = today or datetime.now(UTC).date()
    async with connection.transaction():
        await change_tree(connection, [*regions, *ports])
        keys, areas = [port.key for port in ports], [port.parent_key or "" for port in ports]
        quarters = await asyncio.to_thread(lambda: list(generate_prices(keys, areas, last_day, months)))
        days = 0
        for number, (label, items) in enumerate(quarters, start=1):
            key = f"demo:{label}"
            batch_id = await batches.insert_batch(
                connection,
                on_error=OnError.REJECT_BATCH,
                source=f"{SOURCE} {label}",
                idempotency_key=key,
                payload_sha256=hashlib.sha256(key.encode()).digest(),
            )
            if batch_id is not None:
                slices = partial(iter, [Slice(items, 1.0)])
                outcome = await apply_slices(connection, batch_id, slices, OnError.REJECT_BATCH)
                await batches.end_batch(connection, batch_id, outcome)
                days += outcome.price_day_count
            report(number / len(quarters))
    return days
