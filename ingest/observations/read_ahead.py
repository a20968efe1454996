"""Iterator that computes its next items in a thread, ahead of their consumer."""

from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition, Thread
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

Part = npt.NDArray[np.generic]

MAX_BYTES = 64 << 20
"""Bytes of parts that may wait for the consumer."""


class ReadAhead(Iterator[Part]):
    """Parts of a stream, computed in a thread from the start on, up to MAX_BYTES ahead.

    It is a context manager: at the end of its block the thread stops after the part in progress.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self._ready = deque[Part]()
        self._bytes = 0
        self._has_ended = self._is_closed = False
        self._error: BaseException | None = None
        self._changed = Condition()
        self._thread = Thread(target=self._compute, args=(parts,), daemon=True)
        self._thread.start()

    def _compute(self, parts: Iterable[Part]) -> None:
        try:
            for part in parts:
                with self._changed:
                    self._changed.wait_for(lambda: self._bytes < MAX_BYTES or self._is_closed)
                    if self._is_closed:
                        return
                    self._ready.append(part)
                    self._bytes += part.nbytes
                    self._changed.notify()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify()

    def __next__(self) -> Part:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._has_ended)
            if self._ready:
                part = self._ready.popleft()
                self._bytes -= part.nbytes
                self._changed.notify()
                return part
        if self._error is not None:
            raise self._error
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()
