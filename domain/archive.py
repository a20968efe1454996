"""Archived files: observations of old months outside of the database."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """Parquet file with observations whose last day lies in one month, sorted by lane.

    Attributes:
        url: Address in the storage (file:// or s3://).
        first_day, last_day: First and last day on which an observation of the file is valid.
        first_batch, last_batch: Lowest and highest number of the batches in the file.
        first_origin, last_origin: Lowest and highest ID of the origins in the file.
        reverted: Batches in the file that have been reverted since, in order. Their observations do not count.
    """

    month: date
    url: str
    byte_count: int
    sha256: bytes
    row_count: int
    first_day: date
    last_day: date
    first_batch: int
    last_batch: int
    first_origin: int
    last_origin: int
    id: int = 0
    reverted: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Name of the file with the folder of its month, without the place of the archive."""
        return "/".join(self.url.rsplit("/", 2)[1:])
