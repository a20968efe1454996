"""Guarded readers: the cause of a failure of their process, and its end with the reader."""

import io
import sys

import pytest

from ingest.errors import FileRejected
from ingest.readers.guarded.reader import GuardedReader, ReaderEnded
from tests.support.wrong_files import SOUND_PARQUET


def reader_that_ends_by(signal: str) -> GuardedReader:
    """Return a reader whose process writes part of its output and then ends by the signal."""
    code = f"import os, signal; os.write(1, b'F'); os.kill(os.getpid(), signal.{signal})"
    return GuardedReader((sys.executable, "-c", code), "broken")


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_guarded_reader_killed_from_outside_does_not_reject_the_file(signal: str) -> None:
    with pytest.raises(ReaderEnded):
        list(reader_that_ends_by(signal).read(io.BytesIO(SOUND_PARQUET), 10))


@pytest.mark.parametrize("signal", ["SIGABRT", "SIGSEGV", "SIGXCPU"])
def test_guarded_reader_that_crashes_rejects_the_file_as_broken(signal: str) -> None:
    with pytest.raises(FileRejected) as caught:
        list(reader_that_ends_by(signal).read(io.BytesIO(SOUND_PARQUET), 10))
    message = "broken (reading it exceeded the memory or time limit)"
    assert (caught.value.code, caught.value.message) == ("BROKEN_FILE", message)


def test_guarded_reader_ends_its_process_when_reading_stops_early() -> None:
    endless = "from ingest.readers.parquet.process import main; main()\nwhile True: pass"
    frames = GuardedReader((sys.executable, "-c", endless), "broken").read(io.BytesIO(SOUND_PARQUET), 1)
    assert len(next(frames).frame) == 1
    # This waits for the process, which runs forever unless it is terminated.
    frames.close()  # type: ignore[attr-defined]
    assert next(frames, None) is None
