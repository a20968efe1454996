"""Arrow files of the differences of totals and sketches that a change of the tree records.

A file holds thousands of rows, compressed. Only the last transaction of the change reads it.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
import polars as pl

from ingest.batches.aggregation import MonthTotals
from ingest.sketches.build import MonthSketches

MAX_FILE_BYTES = 4 << 20
"""Bytes of sketches from which a file is full."""
COLUMNS = ("origin", "destination", "slot", "sums", "counts")
SignedSketch = tuple[int, int, int, bytes]
"""Origin, destination, sign and sketch, for `ingest.sketches.move.sum_by_pair`."""


def encode_totals(difference: MonthTotals) -> bytes:
    """Return differences of a month's totals as an Arrow file."""
    return _write(pl.DataFrame({name: getattr(difference, name) for name in COLUMNS}))


def decode_totals(month: int, content: bytes) -> MonthTotals:
    """Return the differences of a month's totals from an Arrow file.

    The month counts from January 1970.
    """
    frame = pl.read_ipc(io.BytesIO(content))
    return MonthTotals(month, *(np.ascontiguousarray(frame[name].to_numpy()) for name in COLUMNS))


def encode_sketches(parts: Iterable[MonthSketches], *, sign: int) -> Iterator[tuple[int, bytes]]:
    """Yield each month with the differences of its sketches as Arrow files.

    A file has about MAX_FILE_BYTES. Months count from January 1970, and the parts are sorted by month. `sign` is 1 or -1.
    """
    for month, of_month in groupby(parts, key=lambda part: part.month):
        rows, size = list[SignedSketch](), 0
        for part in of_month:
            for origin, destination, sketch in zip(part.origins, part.destinations, part.sketches, strict=True):
                rows.append((origin, destination, sign, sketch))
                size += len(sketch)
                if size > MAX_FILE_BYTES:
                    yield month, _write_sketches(rows)
                    rows, size = [], 0
        if rows:
            yield month, _write_sketches(rows)


def _write_sketches(rows: Sequence[SignedSketch]) -> bytes:
    schema = {"origin": pl.Int64, "destination": pl.Int64, "sign": pl.Int64, "sketch": pl.Binary}
    return _write(pl.DataFrame(rows, schema=schema, orient="row"))


def decode_sketches(content: bytes) -> list[SignedSketch]:
    """Return the differences of a month's sketches from an Arrow file."""
    return pl.read_ipc(io.BytesIO(content)).rows()


def _write(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_ipc(file, compression="zstd")
    return file.getvalue()
