"""Comparison of totals, sketches and observations by their fingerprints, on one snapshot."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from db.administration import verifications
from db.administration.verifications import Blocks, PackedPriceRows, PackedSketchRows, PackedTotalRows
from db.sketches.arrays import Int64
from domain.archive import ArchivedFile
from ingest.archive.reader import read_lane_days
from ingest.observations.lane_days import first_day_of
from ingest.verification import field
from ingest.verification.changes import ORIGINS_PER_PART, Inputs, Report, Scope, split_blocks
from ingest.verification.fingerprints import (
    NO_FINGERPRINTS,
    Fingerprinter,
    Fingerprints,
    PriceFingerprints,
    select,
    sum_fingerprints,
)
from ingest.verification.rows import (
    PriceRows,
    UnreadableRows,
    decode_prices,
    decode_sketch_rows,
    decode_totals,
    divide_sketch_rows,
)
from ingest.verification.snapshot import Snapshot, run_both

BLOCKS_PER_STEP = 2_048
"""Blocks that one statement packs: 16 MB of rows. The packed rows have about the same size."""
SKETCH_BLOCKS_PER_STEP = 16
"""Blocks of sketches that one statement packs. A block refers to up to a hundred TOASTed sketches of up to 44 kB each."""
MAX_SKETCH_BYTES = 4 << 20
"""Sketches that are decoded at once, which bounds memory: an entry has 3 bytes, and 100 while its fingerprint is computed."""
ROWS_PER_BLOCK = 64
"""Archived observations that count as much as a block in the progress."""

NO_PRICE_FINGERPRINTS = PriceFingerprints(NO_FINGERPRINTS, NO_FINGERPRINTS)

T = TypeVar("T")
Result = TypeVar("Result")


class Outcome(NamedTuple):
    """Months that were checked, and those whose totals or sketches differ.

    They count from January 1970.
    """

    checked: set[int]
    wrong_totals: set[int]
    wrong_sketches: set[int]


class StoredFingerprints(NamedTuple):
    """Fingerprints of stored totals or sketches, and the months of rows that cannot be decoded."""

    fingerprints: Fingerprints
    damaged: set[int]


class ObservedFingerprints(NamedTuple):
    """Fingerprints of all observations that were read, and of the new ones among them."""

    complete: PriceFingerprints
    new: PriceFingerprints


NO_OBSERVATIONS = ObservedFingerprints(NO_PRICE_FINGERPRINTS, NO_PRICE_FINGERPRINTS)


class Comparison:
    """Fingerprints of changed totals and sketches, and of the observations below them."""

    def __init__(self, snapshot: Snapshot, inputs: Inputs, scope: Scope) -> None:
        self._snapshot = snapshot
        self._inputs = inputs
        self._scope = scope
        self._fingerprinter = Fingerprinter(inputs.locations)
        self._done, self._count = 0, 1

    async def run(self, report: Report) -> Outcome:
        """Compare the fingerprints. Raise ArchiveError if an archived file cannot be read."""
        files = self._list_files()
        archived = sum(file.row_count for file in files) // ROWS_PER_BLOCK
        state = self._snapshot.state
        self._count = state.total_blocks + state.price_blocks + state.sketch_blocks + archived
        stored_totals, (stored_sketches, observed) = await run_both(
            self._fingerprint_totals(report), self._fingerprint_sketches_and_prices(files, report)
        )
        complete, new = observed
        totals = self._subtract(stored_totals.fingerprints, complete.totals, new.totals, regions_only=False)
        sketches = self._subtract(stored_sketches.fingerprints, complete.sketches, new.sketches, regions_only=True)
        wrong_totals = _list_differing(totals) | stored_totals.damaged
        wrong_sketches = _list_differing(sketches) | stored_sketches.damaged
        wrong_sketches = {month for month in wrong_sketches if not self._inputs.is_stale(month)}
        changed = {part.month for part in self._scope.parts or ()} & self._scope.list_months()
        checked = {*totals.months.tolist(), *sketches.months.tolist(), *changed}
        return Outcome(checked | wrong_totals | wrong_sketches, wrong_totals, wrong_sketches)

    async def _fingerprint_sketches_and_prices(
        self, files: list[ArchivedFile], report: Report
    ) -> tuple[StoredFingerprints, ObservedFingerprints]:
        return await self._fingerprint_sketches(report), await self._fingerprint_prices(files, report)

    def _subtract(
        self, stored: Fingerprints, complete: Fingerprints, new: Fingerprints, *, regions_only: bool
    ) -> Fingerprints:
        """Return the stored fingerprints minus those of the observations.

        Within the parts of the scope all observations are subtracted; outside of them the new ones.
        """
        expected = []
        for fingerprints, in_parts in ((complete, True), (new, False)):
            above = self._fingerprinter.roll_up(fingerprints, regions_only=regions_only)
            expected.append(-select(above, self._is_in_parts(above.months, above.origins) == in_parts))
        return sum_fingerprints([stored, *expected])

    def _is_in_parts(self, months: Int64, origins: Int64) -> npt.NDArray[np.bool_]:
        if self._scope.parts is None:
            return np.ones(len(months), dtype=np.bool_)
        first = origins // ORIGINS_PER_PART * ORIGINS_PER_PART
        wanted = np.array([(month << 32) + first for month, first in self._scope.parts], dtype=np.int64)
        return np.isin((months << 32) + first, wanted)

    async def _fingerprint_totals(self, report: Report) -> StoredFingerprints:

        def process(packed: PackedTotalRows) -> Fingerprints:
            rows = decode_totals(packed)
            return Fingerprints(rows.months, rows.origins, self._fingerprinter.fingerprint_totals(rows))

        def read(blocks: Blocks) -> Awaitable[PackedTotalRows | None]:
            return verifications.pack_totals(
                self._snapshot.connection,
                blocks,
                ORIGINS_PER_PART,
                before=self._scope.before,
                parts=self._list_parts(),
            )

        return await self._fingerprint_blocks(self._snapshot.state.total_blocks, BLOCKS_PER_STEP, read, process, report)

    async def _fingerprint_sketches(self, report: Report) -> StoredFingerprints:

        def process(packed: PackedSketchRows) -> Fingerprints:
            decoded = map(decode_sketch_rows, divide_sketch_rows(packed, MAX_SKETCH_BYTES))
            return sum_fingerprints(
                Fingerprints(rows.months, rows.origins, self._fingerprinter.fingerprint_sketches(rows))
                for rows in decoded
            )

        def read(blocks: Blocks) -> Awaitable[PackedSketchRows | None]:
            return verifications.pack_sketches(
                self._snapshot.second_connection,
                blocks,
                ORIGINS_PER_PART,
                before=self._scope.before,
                parts=self._list_parts(),
            )

        size = self._snapshot.state.sketch_blocks
        return await self._fingerprint_blocks(size, SKETCH_BLOCKS_PER_STEP, read, process, report)

    def _list_parts(self) -> list[tuple[int, int]] | None:
        parts = self._scope.parts
        if parts is None:
            return None
        return [(first_day_of(part.month), part.first_origin) for part in parts] + self._scope.list_damaged_periods()

    async def _fingerprint_blocks(
        self,
        size: int,
        step: int,
        read: Callable[[Blocks], Awaitable[T | None]],
        process: Callable[[T], Fingerprints],
        report: Report,
    ) -> StoredFingerprints:
        damaged = set[int]()

        def fingerprint_part(packed: T | None) -> Fingerprints:
            try:
                return NO_FINGERPRINTS if packed is None else sum_fingerprints([process(packed)])
            except UnreadableRows as error:
                damaged.update(error.months)
                return NO_FINGERPRINTS

        async with aclosing(self._process_blocks(size, step, read, fingerprint_part, report)) as found:
            return StoredFingerprints(sum_fingerprints([fingerprints async for fingerprints in found]), damaged)

    async def _fingerprint_prices(self, files: list[ArchivedFile], report: Report) -> ObservedFingerprints:
        def process(packed: PackedPriceRows | None) -> ObservedFingerprints:
            if packed is None:
                return NO_OBSERVATIONS
            return ObservedFingerprints(*map(self._fingerprinter.fingerprint_prices, decode_prices(packed)))

        days = self._span_of_parts()

        def read(blocks: Blocks) -> Awaitable[PackedPriceRows | None]:
            return verifications.pack_prices(
                self._snapshot.second_connection, blocks, before=self._scope.before, days=days
            )

        complete, new = list[PriceFingerprints](), list[PriceFingerprints]()
        size = self._snapshot.state.price_blocks
        async with aclosing(self._process_blocks(size, BLOCKS_PER_STEP, read, process, report)) as found:
            async for observed in found:
                complete.append(observed.complete)
                new.append(observed.new)
        for file in files:
            complete.append(await asyncio.to_thread(self._fingerprint_file, file))
            self._advance(file.row_count // ROWS_PER_BLOCK, report)
        return ObservedFingerprints(_add_prices(complete), _add_prices(new))

    def _span_of_parts(self) -> tuple[int, int] | None:
        """Return the first and last day of the parts of the scope, or None for all days.

        If the scope has no parts, the span is empty.
        """
        parts = self._scope.parts
        if parts is None:
            return None
        if not parts:
            return 0, -1
        months = [part.month for part in parts]
        return first_day_of(min(months)), first_day_of(max(months) + 1) - 1

    def _list_files(self) -> list[ArchivedFile]:
        """Return the archived files with observations in the months of the parts."""
        months = None if self._scope.parts is None else {part.month for part in self._scope.parts}
        return [file for file in self._inputs.files if months is None or not months.isdisjoint(_list_months(file))]

    def _fingerprint_file(self, file: ArchivedFile) -> PriceFingerprints:
        rows = read_lane_days(file)
        return self._fingerprinter.fingerprint_prices(
            PriceRows(*(column.to_numpy().astype(np.int64) for column in rows))
        )

    async def _process_blocks(
        self,
        size: int,
        step: int,
        read: Callable[[Blocks], Awaitable[T]],
        process: Callable[[T], Result],
        report: Report,
    ) -> AsyncGenerator[Result]:
        """Yield the result for each range of blocks.

        A thread processes one range while the next is read.
        """
        running: asyncio.Future[Result] | None = None
        for blocks in split_blocks(size, step):
            packed = await read(blocks)
            if running is not None:
                yield await running
            running = asyncio.ensure_future(asyncio.to_thread(process, packed))
            self._advance(blocks.until - blocks.first, report)
        if running is not None:
            yield await running

    def _advance(self, amount: int, report: Report) -> None:
        self._done += amount
        report(min(self._done / self._count, 1.0))


def _list_differing(fingerprints: Fingerprints) -> set[int]:
    return set(fingerprints.months[field.is_nonzero(fingerprints.values)].tolist())


def _add_prices(parts: list[PriceFingerprints]) -> PriceFingerprints:
    return PriceFingerprints(
        sum_fingerprints(part.totals for part in parts), sum_fingerprints(part.sketches for part in parts)
    )


def _list_months(file: ArchivedFile) -> Iterable[int]:
    first, last = (int(np.datetime64(day, "M").astype(np.int64)) for day in (file.first_day, file.last_day))
    return range(first, last + 1)
