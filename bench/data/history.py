"""Files of `bench billion`: two years with a billion daily prices, in order of arrival.

The first file draws its first days from the whole history, so that queries cover the same days after the first million items
as at the end. The others follow in order: each covers a month and a half of first days, so about six files share a key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from bench.data.world import SEED, Shape, make_csv
from bench.scale import Scale

DAILY_PRICES = 1_000_000_000
FILE_ITEMS = 1_000_000
ITEM_DAYS = 30
START, HISTORY_DAYS = date(2024, 1, 1), 731
ARRIVAL_DAYS = 45
"""Number of first days that a file draws from."""


@dataclass(frozen=True, slots=True)
class History:
    """Contents of the files.

    The last file ends with one more item of `rest_days`, which makes the total a round number.
    """

    shapes: list[Shape]
    rest_days: int

    @property
    def items(self) -> list[int]:
        """Return the number of items of each file."""
        return [shape.items for shape in self.shapes[:-1]] + [self.shapes[-1].items + 1]

    @property
    def daily_prices(self) -> int:
        """Return the total number of daily prices."""
        return sum(shape.items for shape in self.shapes) * ITEM_DAYS + self.rest_days


def plan_history(scale: Scale) -> History:
    """Return the files in their order of arrival; a smaller run has fewer and smaller files."""
    items, rest_days = divmod(scale.size(DAILY_PRICES), ITEM_DAYS)
    size = min(FILE_ITEMS, 10 * scale.size(FILE_ITEMS))
    sizes = [*[size] * (items // size), items % size]
    first_days = HISTORY_DAYS - ITEM_DAYS + 1
    shapes = [Shape(size, ITEM_DAYS, START, first_days)]
    for number, count in enumerate(sizes[1:]):
        start = START + timedelta(days=number * (first_days - ARRIVAL_DAYS) // (len(sizes) - 2))
        shapes.append(Shape(count, ITEM_DAYS, start, ARRIVAL_DAYS))
    return History(shapes, rest_days)


def write_files(history: History, folder: Path) -> Iterator[Path]:
    """Write and yield one file after the other; each is removed when the next is requested."""
    for number, shape in enumerate(history.shapes):
        file = folder / f"prices_{number + 1:02}.csv"
        data = make_csv(shape, seed=SEED + number, busy_lane=True)
        if number == len(history.shapes) - 1:
            data += make_csv(Shape(1, history.rest_days, shape.start, 1)).split(b"\n", 1)[1]
        file.write_bytes(data)
        del data
        yield file
        file.unlink()
