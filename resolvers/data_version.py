"""Version of the data behind cached responses: it changes with the data."""

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

MAX_ANNOUNCED = 1_000
"""Recent changes that are remembered. They are needed only for changes that a request reports after their announcement."""


@dataclass(frozen=True, slots=True)
class VersionState:
    """State of the data as this process knows it.

    Attributes:
        base: Transaction of the last announced change, or empty while the version is unknown.
        pending: Changes that are committed but not announced yet, in order. Responses already include them.
        salt: Random names of the invalidations since the last announced change.
    """

    base: str = ""
    pending: tuple[str, ...] = ()
    salt: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the state, equal in every process; empty while the version is unknown."""
        return "+".join((self.base, *self.pending, *self.salt)) if self.base else ""


class DataVersion:
    """Tracks the version of the data; equal names mean equal responses, in every process.

    The version is the last announced change. PostgreSQL announces changes in commit order, so all listening processes agree.

    Attributes:
        name: Name of the current state; empty while it is unknown.
        epoch: Number of times that the version became unknown.
        listeners: Called with each new name, before anything is computed at that version.
        needs_confirmation: Whether each new name is private until `confirm` is called. On a Citus cluster a worker may commit
            an announced change a moment later. Nothing that was read until then may be cached under the shared name.
    """

    def __init__(self) -> None:
        self.name = ""
        self.epoch = 0
        self.listeners: list[Callable[[str], None]] = []
        self.needs_confirmation = False
        self._state = VersionState()
        self._announced: deque[str] = deque(maxlen=MAX_ANNOUNCED)

    def initialize(self, fingerprint: str) -> None:
        """Set the version to the stored state's fingerprint, unless a change was announced already."""
        if not self._state.base:
            self._set(VersionState(fingerprint))

    def on_change(self, transaction: str, change: str) -> None:
        """Process the announcement of a change."""
        self._announced.append(change)
        pending = tuple(other for other in self._state.pending if other != change)
        self._set(VersionState(transaction, pending))

    def expect_change(self, change: str) -> None:
        """Switch to a new version for a committed change whose announcement is yet to arrive."""
        state = self._state
        if state.base and change not in self._announced and change not in state.pending:
            self._set(replace(state, pending=(*state.pending, change)))

    def invalidate(self) -> None:
        """Switch to a version name that was never used, which invalidates all cached responses."""
        if self._state.base:
            self._set(replace(self._state, salt=(*self._state.salt, str(uuid.uuid4()))))

    def confirm(self) -> None:
        """Switch to the name that all processes share.

        Call it when every part of the database has committed the announced changes.
        """
        self.name = self._state.name

    def reset(self) -> None:
        """Forget the version: notifications may be lost from now on."""
        self.epoch += 1
        self._set(VersionState())

    def _set(self, state: VersionState) -> None:
        self._state = state
        # Every cached request reads the name: hence an attribute instead of a property.
        self.name = f"{state.name}+{uuid.uuid4()}" if self.needs_confirmation and state.base else state.name
        for listener in self.listeners:
            listener(self.name)
