"""ReadAhead: computes ahead, within a bound, and ends with its consumer."""

import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from ingest.observations import read_ahead
from ingest.observations.read_ahead import ReadAhead
from tests.support.waiting import eventually


class Parts:
    """Parts of ten bytes, which count how many have been taken."""

    def __init__(self, count: int, *, fail_at: int | None = None) -> None:
        self.taken = 0
        self._count, self._fail_at = count, fail_at

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        for number in range(self._count):
            if number == self._fail_at:
                raise ValueError("broken")
            self.taken += 1
            yield np.full(10, number, dtype=np.uint8)


def numbers(parts: ReadAhead) -> list[int]:
    return [int(part[0]) for part in parts]


def test_parts_arrive_in_order_and_once() -> None:
    with ReadAhead(Parts(200)) as parts:
        assert numbers(parts) == list(range(200))
        assert numbers(parts) == []


def test_parts_are_computed_before_the_consumer_asks_and_no_further_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read_ahead, "MAX_BYTES", 50)
    source = Parts(1_000)
    with ReadAhead(source) as parts:
        # Five parts fill the bound, and one more has been computed.
        eventually(lambda: source.taken == 6, "nothing is computed ahead", 30)
        assert int(next(parts)[0]) == 0
        eventually(lambda: source.taken == 7, "computing does not continue", 30)
        assert source.taken == 7


def test_error_reaches_the_consumer_after_the_parts_before_it() -> None:
    with ReadAhead(Parts(5, fail_at=3)) as parts:
        assert [int(next(parts)[0]) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="broken"):
            next(parts)


def test_thread_ends_when_the_consumer_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "MAX_BYTES", 10)
    before = threading.active_count()
    with ReadAhead(Parts(1_000)) as parts:
        next(parts)
    eventually(lambda: threading.active_count() <= before, "the thread still runs", 30)
