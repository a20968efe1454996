"""Price files in Parquet format."""

import base64
import io
from collections.abc import Mapping
from datetime import date

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.parquet import encryption

ITEMS = {
    "origin": pa.array(["CNSGH", "CNSGH"]),
    "destination": pa.array(["NLRTM", "NLRTM"]),
    "date_from": pa.array([date(2024, 1, 1), date(2024, 1, 2)]),
    "date_to": pa.array([date(2024, 1, 31), None], pa.date32()),
    "price": pa.array([1450.5, -20.0]),
    "currency": pa.array(["USD", None]),
}
"""Two valid items, as Arrow arrays."""


def parquet(**columns: object) -> bytes:
    """Return a Parquet file with one row."""
    buffer = io.BytesIO()
    pl.DataFrame({name: [value] for name, value in columns.items()}).write_parquet(buffer)
    return buffer.getvalue()


def arrow_parquet(columns: Mapping[str, pa.Array] | None = None, **options: object) -> bytes:
    """Return ITEMS, with these columns instead, as a Parquet file written by Arrow."""
    return write_table(pa.table({**ITEMS, **(columns or {})}), **options)


def write_table(table: pa.Table, **options: object) -> bytes:
    """Return an Arrow table as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def days_from_numbers(*numbers: int | None) -> pa.Array:
    """Return dates by their days since 1970, in the calendar or not."""
    return pa.array(numbers, pa.int32()).view(pa.date32())


class PlainKeys(encryption.KmsClient):  # type: ignore[misc]
    """Key service that stores keys unencrypted."""

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:  # noqa: ARG002
        """Return the key to store."""
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:  # noqa: ARG002
        """Return the stored key."""
        return base64.b64decode(wrapped_key)


def encrypted_parquet(*, plaintext_footer: bool) -> bytes:
    """Return an encrypted Parquet file; its footer may be readable."""
    factory = encryption.CryptoFactory(lambda _: PlainKeys())
    configuration = encryption.EncryptionConfiguration(
        footer_key="footer", column_keys={"prices": ["price"]}, plaintext_footer=plaintext_footer
    )
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), configuration)
    return arrow_parquet(encryption_properties=properties)
