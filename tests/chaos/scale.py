"""Size and deadline of a chaos run."""

from dataclasses import dataclass

DEADLINE_SECONDS = 180.0
"""A batch whose first four attempts were interrupted waits 2 + 4 + 8 + 16 seconds. A busy machine needs the rest."""
MAX_BACKLOG = 150
"""Uploads pause at this queue length, so that uploads and strikes last equally long."""
CLIENTS = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """Size of a run: `kills` of workers and the API by SIGKILL, `stops` as PostgreSQL crashes."""

    batches: int = 5_000
    kills: int = 100
    stops: int = 10
    workers: int = 3
    seed: int = 1
