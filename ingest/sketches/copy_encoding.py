"""Rows of price_sketches: encoded in PostgreSQL's binary COPY format, and appended."""

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from db.connection import Connection
from db.repositories import sketches
from ingest.observations.copy_stream import POSTGRES_EPOCH, copy_stream
from ingest.observations.lane_days import first_day_of
from ingest.sketches.build import MonthSketches

_ROW = struct.Struct(">h7i")
"""The number of fields; origin, destination and month, each with its length in bytes; the length of the sketch."""


async def append_sketches(connection: Connection, parts: Iterable[MonthSketches]) -> None:
    """Append the sketches. Call `lock_tree_shared` and `declare_sketch_maintenance` first."""
    await sketches.copy_sketches(connection, copy_stream(encode_sketch_rows(parts)))


def encode_sketch_rows(parts: Iterable[MonthSketches]) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the rows for `copy_sketches`, an array per part."""
    for part in parts:
        month = first_day_of(part.month) - POSTGRES_EPOCH
        yield _join(
            [
                (origin, destination, month, sketch)
                for origin, destination, sketch in zip(part.origins, part.destinations, part.sketches, strict=True)
            ]
        )


def _join(rows: Sequence[tuple[int, int, int, bytes]]) -> npt.NDArray[np.uint8]:
    """Return rows of origin, destination, month (days since 2000-01-01) and sketch."""
    fields = [
        field
        for origin, destination, month, sketch in rows
        for field in (_ROW.pack(4, 4, origin, 4, destination, 4, month, len(sketch)), sketch)
    ]
    return np.frombuffer(b"".join(fields), np.uint8)
