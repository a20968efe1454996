"""Price files in Parquet format."""

import io

import polars as pl


def parquet(**columns: object) -> bytes:
    """Return a Parquet file with one row."""
    buffer = io.BytesIO()
    pl.DataFrame({name: [value] for name, value in columns.items()}).write_parquet(buffer)
    return buffer.getvalue()
