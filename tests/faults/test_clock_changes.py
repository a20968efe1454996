"""A server whose system clock is set forwards and backwards.

The clock of the database stays correct. The clock of the process is changed by libfaketime, which reads its offset from a
file at every query of the time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.batches.uploads import AVERAGES, VALID_ITEM, create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.issuer import Issuer
from tests.support.fixtures.server import JSON, running_worker
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

LIBRARY = "libfaketimeMT.so.1"
FOLDERS = [Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64")]
MINUTE, DAY = 60, 86_400
LIMIT = 40
UPLOAD = "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { replayed batch { status } } }"


@dataclass(frozen=True)
class ClockServer:
    """Server process with its own system clock."""

    url: str
    database_url: str
    clock: Path

    def set_clock(self, seconds: int) -> None:
        """Set the process's system clock to the real time plus an offset."""
        self.clock.write_text(f"{seconds:+d}")

        def is_set() -> bool:
            expected = datetime.now(UTC) + timedelta(seconds=seconds)
            date = httpx.get(f"{self.url}/livez", timeout=DEADLINE_SECONDS).headers["date"]
            found = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC)
            return abs((found - expected).total_seconds()) < 10

        eventually(is_set, "the clock is not set")

    def post(self, query: str, token: str | None = None, **variables: object) -> httpx.Response:
        """Send a query."""
        body, headers = {"query": query, "variables": variables}, {**JSON, **authorization_header(token)}
        return httpx.post(f"{self.url}/graphql", json=body, headers=headers, timeout=DEADLINE_SECONDS)


def library_path() -> str:
    """Return the path of libfaketime; skip the test if it is not installed."""
    paths = [path for folder in FOLDERS for path in folder.glob(f"**/faketime/{LIBRARY}")]
    if not paths:
        pytest.skip("libfaketime is not installed (Debian package libfaketime)")
    return str(paths[0])


@pytest.fixture
def clocked(database_url: str, issuer: Issuer, tmp_path: Path) -> Iterator[ClockServer]:
    """Yield a server whose clock is correct at first."""
    create_locations(database_url)
    clock = tmp_path / "clock"
    clock.write_text("+0")
    settings = {
        "LD_PRELOAD": library_path(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "RATESGRAPH_RATE_LIMIT": f"{LIMIT}/day",
        **{f"RATESGRAPH_{name.upper()}": value for name, value in issuer.settings.items()},
    }
    with running_worker(database_url), serving(database_url, "--no-demo", settings=settings) as (_, url):
        wait_until_answered(url)
        yield ClockServer(url, database_url, clock)


def test_clock_changes_affect_neither_tokens_nor_limits_nor_answers(clocked: ClockServer, issuer: Issuer) -> None:
    url = clocked.database_url
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    token = create_api_token(url, "read", "upload", expires_at=expires_at)
    expired = create_api_token(url, "read", expires_at=datetime.now(UTC) - timedelta(minutes=1))
    jwt = issuer.sign(exp=int(datetime.now(UTC).timestamp()) + 3_600)
    remaining = LIMIT
    # `exp` and `iat` of a JWT are compared with the system clock, but a verified JWT stays valid when that is set back.
    for number, (offset, jwt_status) in enumerate(
        [(0, 200), (5 * MINUTE, 200), (-5 * MINUTE, 200), (DAY, 401), (-DAY, 401), (0, 200)]
    ):
        clocked.set_clock(offset)
        answers = [clocked.post(AVERAGES) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200], offset
        assert answers[0].json()["data"]["averagePrices"][0]["priceCount"] == number
        # Setting the clock opens no new window.
        remaining -= 2
        assert answers[1].headers["ratelimit"].startswith(f'"address";r={remaining};'), offset
        # The clock of the database decides when a token expires.
        statuses = [clocked.post(AVERAGES, each).status_code for each in (token, expired, jwt)]
        assert statuses == [200, 401, jwt_status], offset
        remaining -= statuses.count(401)
        options = {"prices": [VALID_ITEM], "waitMs": 30_000, "idempotencyKey": str(number)}
        for replayed in (False, True):
            answer = clocked.post(UPLOAD, token, input=options).json()["data"]["uploadPrices"]
            assert answer == {"replayed": replayed, "batch": {"status": "APPLIED"}}
    clocked.set_clock(-DAY)
    ratesgraph_in_process(url, "token", "revoke", token)
    waited = eventually(lambda: clocked.post(AVERAGES, token).status_code == 401, "the token is still accepted")
    assert waited < 30
