"""How large a chaos run is, and how long it waits before it calls something stuck."""

from dataclasses import dataclass

DEADLINE_SECONDS = 180.0
"""A batch whose first four attempts were interrupted waits 2 + 4 + 8 + 16 seconds; a busy machine needs the rest."""
MAX_BACKLOG = 150
"""Uploads pause when so many batches wait, so that work and disturbances last equally long."""
CLIENTS = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """What a run consists of. `kills` counts SIGKILLs of workers and of the API, `stops` crashes of PostgreSQL."""

    batches: int = 5_000
    kills: int = 100
    stops: int = 10
    workers: int = 3
    seed: int = 1
