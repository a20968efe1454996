"""Simulation of workers: queueing theory, bounds and delays of the autoscaler."""

import random
from statistics import mean

import pytest

from bench.fleet.__main__ import main
from bench.fleet.load import BATCHES_PER_SECOND, Batch, generate_load
from bench.fleet.scaling import STABILIZATION_SECONDS, WORK_PER_WORKER, Autoscaler, Queue, by_count, by_work
from bench.fleet.simulation import START_SECONDS, Simulation


def make_load(count: int, rate: float, work: float) -> list[Batch]:
    """Return batches of equal work, as a Poisson process of `rate` per second."""
    generator, time, load = random.Random(7), 0.0, list[Batch]()  # noqa: S311
    for _ in range(count):
        time += generator.expovariate(rate)
        load.append(Batch(time, work))
    return load


@pytest.mark.parametrize("utilization", [0.3, 0.5, 0.8])
def test_one_worker_delays_batches_as_the_pollaczek_khinchine_formula_says(utilization: float) -> None:
    outcome = Simulation(1).run(make_load(200_000, rate=utilization, work=1.0))
    expected = 1 + utilization / (2 * (1 - utilization))
    assert mean(outcome.delays) == pytest.approx(expected, rel=0.05)


def test_workers_beyond_the_database_cores_slow_each_other_down() -> None:
    burst = [Batch(0.0, 1.0)] * 32
    assert max(Simulation(16).run(burst).delays) == 2
    assert max(Simulation(32).run(burst).delays) == pytest.approx(2, rel=0.1)


def test_autoscaler_starts_workers_for_a_burst_within_its_bounds() -> None:
    burst = [Batch(float(second) / 10, 1.0) for second in range(1000)]
    scaled = Simulation(1, Autoscaler(by_work, 1, 4)).run(burst)
    assert scaled.peak_workers == 4
    assert len(scaled.delays) == len(burst)
    alone, full = Simulation(1).run(burst), Simulation(4).run(burst)
    assert mean(full.delays) < mean(scaled.delays) < mean(alone.delays)
    assert min(scaled.delays) == 1 < START_SECONDS


def test_autoscaler_shrinks_only_after_its_window() -> None:
    autoscaler = Autoscaler(by_work, 1, 8)
    assert autoscaler.decide(0, Queue(1, 4 * WORK_PER_WORKER)) == 4
    assert autoscaler.decide(STABILIZATION_SECONDS, Queue(0, 0)) == 4
    assert autoscaler.decide(STABILIZATION_SECONDS + 1, Queue(0, 0)) == 1


def test_rule_by_count_ignores_the_size_of_batches() -> None:
    one_large = Queue(batches=1, work=20 * WORK_PER_WORKER)
    assert (by_count(one_large), by_work(one_large)) == (1, 20)


def test_load_has_peaks_and_is_the_same_for_a_seed() -> None:
    load = generate_load(hours=2, seed=3)
    assert load == generate_load(hours=2, seed=3)
    assert load != generate_load(hours=2, seed=4)
    minutes = [0] * 120
    for batch in load:
        minutes[int(batch.arrival // 60)] += 1
    assert max(minutes) > 8 * BATCHES_PER_SECOND * 60
    assert min(minutes) < 1.5 * BATCHES_PER_SECOND * 60


def test_simulation_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--hours", "0.2", "--seed", "2"])
    printed = capsys.readouterr().out
    assert "always 8" in printed
    assert "one for 15 s of work" in printed
