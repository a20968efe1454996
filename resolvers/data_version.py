"""Names the state of the data that answers are made from, so that an answer can be kept until it changes."""

import uuid
from collections import deque

MAX_ANNOUNCED = 1_000


class DataVersion:
    """The name of the data's state; equal names mean equal answers, in every process. It is empty while nothing is known.

    The name is that of the last change whose announcement arrived. PostgreSQL announces in the order of the commits, so
    processes that listen agree.
    """

    def __init__(self) -> None:
        self.name = ""
        self.epoch = 0
        """How often it was not known any more."""
        self._announced: deque[str] = deque(maxlen=MAX_ANNOUNCED)
        self._expected: dict[str, None] = {}

    def on_change(self, transaction: str, change: str) -> None:
        """Take note of a change that has been announced: its transaction, and what it was."""
        self._announced.append(change)
        self._expected.pop(change, None)
        # What is known to be committed, and was told to somebody, is in the answers although its announcement is not here.
        self.name = "+".join((transaction, *self._expected))

    def expect_change(self, change: str) -> None:
        """Make sure that the name has changed with a change that this process knows to be committed, and will hear of."""
        if self.name and change not in self._announced and change not in self._expected:
            self._expected[change] = None
            self.name = f"{self.name}+{change}"

    def invalidate(self) -> None:
        """Have a name that no answer was kept under."""
        if self.name:
            self.name = f"{self.name}+{uuid.uuid4()}"

    def reset(self) -> None:
        """Know no more: what is announced now may not be heard."""
        self.name = ""
        self.epoch += 1
        self._expected.clear()
