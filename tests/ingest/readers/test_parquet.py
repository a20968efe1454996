"""The Parquet reader process: the cause of its failures, and its end with the reader."""

import io
import sys
from tempfile import TemporaryFile

import pytest

from ingest.errors import FileRejected
from ingest.readers import parquet
from ingest.readers.parquet import ReaderEnded, read_parquet
from tests.support.wrong_files import SOUND_PARQUET


def ends_by(signal: str) -> tuple[str, ...]:
    """Return a command that writes part of its output and then ends by the signal."""
    return (sys.executable, "-c", f"import os, signal; os.write(1, b'F'); os.kill(os.getpid(), signal.{signal})")


def test_parquet_reads_equal_rows_from_disk_and_memory() -> None:
    with TemporaryFile() as file:
        file.write(SOUND_PARQUET)
        file.flush()
        [(on_disk, part)] = read_parquet(file, 10)
    [(in_memory, _)] = read_parquet(io.BytesIO(SOUND_PARQUET), 10)
    assert on_disk.rows() == in_memory.rows() == [("A", "B", "C", 1.0), ("A", "B", "C", None)]
    assert part == 1.0


def test_parquet_yields_frames_of_the_requested_size() -> None:
    frames = list(read_parquet(io.BytesIO(SOUND_PARQUET), 1))
    assert [(len(frame), part) for frame, part in frames] == [(1, 0.5), (1, 1.0)]


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_parquet_reader_killed_from_outside_does_not_reject_the_file(
    monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    monkeypatch.setattr(parquet, "COMMAND", ends_by(signal))
    with pytest.raises(ReaderEnded):
        list(read_parquet(io.BytesIO(SOUND_PARQUET), 10))


@pytest.mark.parametrize("signal", ["SIGABRT", "SIGSEGV", "SIGXCPU"])
def test_parquet_reader_that_crashes_rejects_the_file_as_broken(monkeypatch: pytest.MonkeyPatch, signal: str) -> None:
    monkeypatch.setattr(parquet, "COMMAND", ends_by(signal))
    with pytest.raises(FileRejected) as caught:
        list(read_parquet(io.BytesIO(SOUND_PARQUET), 10))
    assert caught.value.code == "BROKEN_FILE"


def test_parquet_reader_process_ends_when_reading_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = "from ingest.readers.parquet_subprocess import main; main()\nwhile True: pass"
    monkeypatch.setattr(parquet, "COMMAND", (sys.executable, "-c", endless))
    frames = read_parquet(io.BytesIO(SOUND_PARQUET), 1)
    assert len(next(frames)[0]) == 1
    # This waits for the process, which runs forever unless it is terminated.
    frames.close()  # type: ignore[attr-defined]
    assert next(frames, None) is None
