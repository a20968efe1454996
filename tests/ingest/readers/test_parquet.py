"""The process that reads Parquet: whose fault it is when it ends, and that it never outlives its reader."""

import io
import sys
from tempfile import TemporaryFile

import pytest

from ingest.errors import FileRejected
from ingest.readers import parquet
from ingest.readers.parquet import ReaderEnded, read_parquet
from tests.support.wrong_files import SOUND_PARQUET


def ends_by(signal: str) -> tuple[str, ...]:
    """Return a command that ends by the signal, after it has begun to answer."""
    return (sys.executable, "-c", f"import os, signal; os.write(1, b'F'); os.kill(os.getpid(), signal.{signal})")


def test_a_file_on_disk_and_one_in_memory_read_the_same() -> None:
    with TemporaryFile() as file:
        file.write(SOUND_PARQUET)
        file.flush()
        [(on_disk, part)] = read_parquet(file, 10)
    [(in_memory, _)] = read_parquet(io.BytesIO(SOUND_PARQUET), 10)
    assert on_disk.rows() == in_memory.rows() == [("A", "B", "C", 1.0), ("A", "B", "C", None)]
    assert part == 1.0


def test_rows_come_in_frames_of_the_size_that_was_asked_for() -> None:
    frames = list(read_parquet(io.BytesIO(SOUND_PARQUET), 1))
    assert [(len(frame), part) for frame, part in frames] == [(1, 0.5), (1, 1.0)]


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_a_process_that_was_ended_from_outside_says_nothing_about_the_file(
    monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    monkeypatch.setattr(parquet, "COMMAND", ends_by(signal))
    with pytest.raises(ReaderEnded):
        list(read_parquet(io.BytesIO(SOUND_PARQUET), 10))


@pytest.mark.parametrize("signal", ["SIGABRT", "SIGSEGV", "SIGXCPU"])
def test_a_process_that_its_own_work_has_ended_condemns_the_file(monkeypatch: pytest.MonkeyPatch, signal: str) -> None:
    monkeypatch.setattr(parquet, "COMMAND", ends_by(signal))
    with pytest.raises(FileRejected) as caught:
        list(read_parquet(io.BytesIO(SOUND_PARQUET), 10))
    assert caught.value.code == "BROKEN_FILE"


def test_whoever_stops_reading_early_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = "from ingest.readers.parquet_subprocess import main; main()\nwhile True: pass"
    monkeypatch.setattr(parquet, "COMMAND", (sys.executable, "-c", endless))
    frames = read_parquet(io.BytesIO(SOUND_PARQUET), 1)
    assert len(next(frames)[0]) == 1
    # This waits for the process, which goes on for ever if nobody ends it.
    frames.close()  # type: ignore[attr-defined]
    assert next(frames, None) is None
