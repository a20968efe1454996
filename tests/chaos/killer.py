"""Seeded fault injection, spread evenly over the work.

Workers and the API get SIGKILL, PostgreSQL crashes.
"""

import time
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.chaos.database import CrashableServer
from tests.chaos.ledger import Ledger
from tests.chaos.scale import Scale
from tests.chaos.supervised_process import SupervisedProcess

MAX_OUTAGE_SECONDS = 2.0


class Victim(StrEnum):
    """Component that a strike hits."""

    WORKER = "worker"
    API = "API"
    POSTGRESQL = "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Strike:
    """A strike and the start of its recovery, in seconds since 1970.

    Recovery starts with the kill, or with the restart of PostgreSQL.
    """

    victim: Victim
    at: float


def plan_strikes(scale: Scale, random: Random) -> list[Victim]:
    """Return the components to hit, in random order: three in ten kills hit the API."""
    kills_of_api = min(scale.kills, max(1, round(scale.kills * 0.3)))
    victims = [Victim.API] * kills_of_api + [Victim.WORKER] * (scale.kills - kills_of_api)
    victims += [Victim.POSTGRESQL] * scale.stops
    random.shuffle(victims)
    return victims


def strike_all(
    scale: Scale, ledger: Ledger, api: SupervisedProcess, workers: list[SupervisedProcess], server: CrashableServer
) -> list[Strike]:
    """Strike after each further share of ended batches, while others wait; return the strikes."""
    random = Random(f"killer-{scale.seed}")  # noqa: S311
    victims = plan_strikes(scale, random)
    strikes = []
    for number, victim in enumerate(victims):
        due = scale.batches * (number + random.random()) / (len(victims) + 1)
        ledger.wait_for(lambda due=due: ledger.ended >= due, f"{due:.0f} batches to end")  # type: ignore[misc]
        # All processes serve before most strikes; occasionally one is hit during its start.
        if random.random() < 0.85:
            ledger.wait_for(api.ready.is_set, "the API to serve")
        ledger.wait_for(lambda: len(ledger.acknowledged) > ledger.ended, "a batch that waits")
        ledger.pause(random.uniform(0.0, 0.2))
        match victim:
            case Victim.POSTGRESQL:
                server.crash()
                ledger.pause(random.uniform(0.0, MAX_OUTAGE_SECONDS))
                strikes.append(Strike(victim, time.time()))
                server.start()
            case Victim.API:
                ledger.wait_for(api.kill, "the API to run")
                strikes.append(Strike(victim, time.time()))
            case Victim.WORKER:
                ledger.wait_for(lambda: any(worker.ready.is_set() for worker in workers), "a worker to serve")
                serving = [worker for worker in workers if worker.ready.is_set()] or workers
                chosen = random.choice(serving if random.random() < 0.85 else workers)
                ledger.wait_for(chosen.kill, "the worker to run")
                strikes.append(Strike(victim, time.time()))
    ledger.end_strikes()
    return strikes
