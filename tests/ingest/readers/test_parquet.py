"""Parquet files: equal rows from disk and memory, in frames of the requested size."""

import io
from tempfile import TemporaryFile

from ingest.readers.parquet.reader import read_parquet
from tests.support.wrong_files import SOUND_PARQUET


def test_parquet_reads_equal_rows_from_disk_and_memory() -> None:
    with TemporaryFile() as file:
        file.write(SOUND_PARQUET)
        file.flush()
        [(on_disk, part, _)] = read_parquet(file, 10)
    [(in_memory, _, _)] = read_parquet(io.BytesIO(SOUND_PARQUET), 10)
    assert on_disk.rows() == in_memory.rows() == [("A", "B", "C", "1.0"), ("A", "B", "C", None)]
    assert part == 1.0


def test_parquet_yields_frames_of_the_requested_size() -> None:
    frames = list(read_parquet(io.BytesIO(SOUND_PARQUET), 1))
    assert [(len(frame), part) for frame, part, _ in frames] == [(1, 0.5), (1, 1.0)]
