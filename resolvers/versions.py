"""Names the state of the data that answers are made from, so that an answer can be kept until it changes."""

from collections import deque

REMEMBERED = 1_000


class DataVersion:
    """The name of the data's state; equal names mean equal answers, in every process. It is empty while nothing is known.

    The name is that of the last change whose announcement arrived. PostgreSQL announces in the order of the commits, so
    processes that listen agree.
    """

    def __init__(self) -> None:
        self.name = ""
        self._announced: deque[str] = deque(maxlen=REMEMBERED)

    def announce(self, transaction: str, change: str) -> None:
        """Take note of a change that has been announced: its transaction, and what it was."""
        self._announced.append(change)
        self.name = transaction

    def require(self, change: str) -> None:
        """Make sure that the name has changed with a change that this process knows to be committed."""
        if self.name and change not in self._announced:
            self.name = f"{self.name}+{change}"
