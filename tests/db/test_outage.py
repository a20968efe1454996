"""The outage monitor continues to probe after unexpected errors."""

import asyncio

import pytest

from db.errors import ConnectionLost
from db.outage import OutageMonitor

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("where", ["probe", "reset_pool"])
async def test_outage_monitor_recovers_after_failed_probes_and_logs_them(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [ConnectionLost(), RuntimeError("can't start new thread"), OSError(24, "Too many open files")]

    async def fail() -> None:
        if failures:
            raise failures.pop()

    async def succeed() -> None:
        pass

    outage = OutageMonitor(fail, succeed, 10) if where == "probe" else OutageMonitor(succeed, fail, 10)
    try:
        outage.trip()
        async with asyncio.timeout(5):
            await outage.wait_until_over()
        assert not outage.is_open
    finally:
        await outage.close()
    # The log names the cause.
    assert "can't start new thread" in caplog.text
