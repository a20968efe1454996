"""Has the processes of a server share the connections that are made.

All of them wait at one socket, so that no connection is lost when one of them goes. But whoever is awake is the first at the
next connection too: of 64 that were made at once one of two processes had 9, of 16 that a client kept open sometimes none, so
that a core idled. So a process that has taken one sleeps for a moment, in which another one that is awake can take the next.
"""

import time

YIELD_SECONDS = 1e-9
"""The system makes some 60 µs of it."""
WINDOW_SECONDS = 0.1


class AcceptYielder:
    """Sleeps for a moment where more connections are open than at any other that was taken in the same tenth of a second.

    Then there may be others to come, and to be shared. Where each request has a connection of its own, their number stays about
    the same, and to sleep for each would cost a sixth of them.
    """

    def __init__(self, *, processes: int) -> None:
        self._are_shared = processes > 1
        self._most = 0
        self._window_ends_at = 0.0

    def yield_after_accept(self, connections: int, now: float) -> bool:
        """Return whether another process was let go first, after a connection was taken with which there are so many."""
        if not self._are_shared:
            return False
        if now >= self._window_ends_at:
            self._most, self._window_ends_at = 0, now + WINDOW_SECONDS
        if connections <= self._most:
            return False
        self._most = connections
        time.sleep(YIELD_SECONDS)
        return True
