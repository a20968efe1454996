"""Figures of a chaos run, and the table of them."""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from rich.table import Table

from domain.batches import BatchStatus
from tests.chaos.checks import Faults, Row
from tests.chaos.killer import Strike, Victim


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a chaos run.

    Times are seconds since 1970. `seconds` is the duration of the run, until the queue is empty and all processes
    have stopped.
    """

    rows: list[Row]
    strikes: list[Strike]
    sent: int
    transient_failures: Counter[str]
    acknowledged_at: list[float]
    faults: Faults
    differences: list[str]
    verify_exit_code: int
    errors_logged: int
    tracebacks: int
    seconds: float

    @property
    def violations(self) -> list[str]:
        """Descriptions of all violated guarantees; empty after a correct run."""
        kinds = {
            "lost": self.faults.lost,
            "duplicated": self.faults.duplicated,
            "failed": self.faults.failed,
            "wrong outcome": self.faults.wrong,
            "not acknowledged": self.faults.unaccounted,
            "wrong total": self.differences,
            "`ratesgraph verify`": [] if self.verify_exit_code == 0 else [f"exit code {self.verify_exit_code}"],
        }
        return [f"{kind}: {words}" for kind, found in kinds.items() for words in found]

    def count(self, victim: Victim) -> int:
        """Return how often the component was hit."""
        return sum(strike.victim is victim for strike in self.strikes)

    def longest_recovery(self, victim: Victim) -> float:
        """Return the longest time from a strike to the next sign of recovery.

        That is the next acknowledgement for the API, and the next batch that ended for the others.
        """
        ended = [row.ended_at.timestamp() for row in self.rows if row.ended_at is not None]
        recovery_times = sorted(self.acknowledged_at if victim is Victim.API else ended)
        times = [strike.at for strike in self.strikes if strike.victim is victim]
        return max(
            (
                recovery_times[next_] - at
                for at in times
                if (next_ := bisect_right(recovery_times, at)) < len(recovery_times)
            ),
            default=0.0,
        )

    def longest_batch_seconds(self) -> float:
        """Return the longest time from the acceptance of a batch to its end."""
        return max(
            ((row.ended_at - row.created_at).total_seconds() for row in self.rows if row.ended_at and row.created_at),
            default=0.0,
        )

    def table(self) -> Table:
        """Return the figures as a readable table."""
        status = Counter(row.status for row in self.rows)
        table = Table("figure", "value", title="Chaos run")
        for name, value in (
            ("batches", f"{len(self.rows):,}"),
            *((f"  {name}", f"{status[name]:,}") for name in BatchStatus if status[name]),
            ("requests sent, retries included", f"{self.sent:,}"),
            ("  with a transient failure", f"{self.transient_failures.total():,}"),
            *((f"    {name}", f"{count:,}") for name, count in self.transient_failures.most_common()),
            ("kills of workers", f"{self.count(Victim.WORKER)}"),
            ("kills of the API", f"{self.count(Victim.API)}"),
            ("crashes of PostgreSQL", f"{self.count(Victim.POSTGRESQL)}"),
            ("batches with several attempts", f"{sum((row.attempts or 0) > 1 for row in self.rows)}"),
            ("  most attempts of one batch", f"{max((row.attempts or 0 for row in self.rows), default=0)}"),
            ("lost", f"{len(self.faults.lost)}"),
            ("duplicated", f"{len(self.faults.duplicated)}"),
            ("failed", f"{len(self.faults.failed)}"),
            ("wrong outcome", f"{len(self.faults.wrong)}"),
            ("not acknowledged", f"{len(self.faults.unaccounted)}"),
            ("wrong totals", f"{len(self.differences)}"),
            ("exit code of `ratesgraph verify`", f"{self.verify_exit_code}"),
            *(
                (f"longest recovery, {victim} hit", f"{self.longest_recovery(victim):.1f} s")
                for victim in Victim
                if self.count(victim)
            ),
            ("longest batch duration", f"{self.longest_batch_seconds():.1f} s"),
            ("errors, tracebacks in the logs", f"{self.errors_logged}, {self.tracebacks}"),
            ("duration", f"{self.seconds:.0f} s"),
        ):
            table.add_row(name, value)
        return table
