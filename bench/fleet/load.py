"""Sporadic load: batches of very different sizes, and peaks of ten times the usual rate."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

BATCHES_PER_SECOND = 4.0
PEAK_FACTOR = 10
PEAK_SECONDS = 300.0
PEAKS_PER_HOUR = 1.0
SIZES = ((0.9, 0.03, 0.05), (0.09, 0.1, 0.5), (0.01, 2.0, 6.0))
"""Share of the batches, and their smallest and largest work in seconds.

These are uploads of a few items, files of ten to a hundred thousand, and files of about a million.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Batch: its arrival in seconds from the start, and its work in seconds of one worker."""

    arrival: float
    work: float


def generate_load(hours: float, seed: int) -> list[Batch]:
    """Return the batches of some hours by arrival: a Poisson process with peaks."""
    generator = random.Random(seed)  # noqa: S311
    end = hours * 3600
    peaks = list(_arrivals(generator, PEAKS_PER_HOUR / 3600, 0, end))
    times = list(_arrivals(generator, BATCHES_PER_SECOND, 0, end))
    for peak in peaks:
        times += _arrivals(generator, BATCHES_PER_SECOND * (PEAK_FACTOR - 1), peak, min(peak + PEAK_SECONDS, end))
    return [Batch(time, _draw_work(generator)) for time in sorted(times)]


def _arrivals(generator: random.Random, rate: float, start: float, end: float) -> Iterator[float]:
    """Yield the times of a Poisson process with `rate` arrivals per second."""
    time = start + generator.expovariate(rate)
    while time < end:
        yield time
        time += generator.expovariate(rate)


def _draw_work(generator: random.Random) -> float:
    (smallest, largest) = generator.choices([size[1:] for size in SIZES], [size[0] for size in SIZES])[0]
    return generator.uniform(smallest, largest)
