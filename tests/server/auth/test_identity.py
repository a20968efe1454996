"""Expiry of identities, whose clock may be set while a stream waits."""

import asyncio

import pytest

from resolvers.caller import Caller
from server.auth import identity
from server.auth.identity import Identity
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio


class Clock:
    """Clock that a test sets."""

    now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def test_identity_expires_when_its_clock_is_set_forwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "RECHECK_SECONDS", 0.01)
    clock = Clock()
    expiring = Identity(Caller(), 5_000.0, clock)
    waiting = asyncio.create_task(expiring.wait_until_expired())
    assert await asyncio.wait([waiting], timeout=0.05) == (set(), {waiting})
    assert expiring.active_streams == 1
    clock.now = 5_000.0
    await asyncio.wait_for(waiting, DEADLINE_SECONDS)
    assert expiring.active_streams == 0


async def test_identity_stays_valid_when_its_clock_is_set_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "RECHECK_SECONDS", 0.01)
    clock = Clock()
    expiring = Identity(Caller(), 1_000.05, clock)
    waiting = asyncio.create_task(expiring.wait_until_expired())
    clock.now = 500.0
    assert await asyncio.wait([waiting], timeout=0.1) == (set(), {waiting})
    expiring.revoked.set()
    await asyncio.wait_for(waiting, DEADLINE_SECONDS)
    assert expiring.remaining() > 500
