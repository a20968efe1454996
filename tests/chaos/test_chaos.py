"""The short chaos run: no acknowledged batch is lost or duplicated.

`make chaos` is the long run.
"""

from tests.chaos.killer import Victim
from tests.chaos.run import run
from tests.chaos.scale import Scale


def test_chaos_run_neither_loses_nor_duplicates_a_batch() -> None:
    figures = run(Scale(batches=60, kills=6, stops=1, workers=2, seed=1))
    assert figures.violations == []
    assert len(figures.rows) >= 60
    assert figures.count(Victim.WORKER) + figures.count(Victim.API) == 6
    assert figures.count(Victim.POSTGRESQL) == 1
