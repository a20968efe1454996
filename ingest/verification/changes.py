"""Detection of rows that have changed since the last verification, by their checksums.

A row is settled if its transaction ended before all transactions that were still running. A settled row can only disappear,
because an UPDATE writes a new row. A checksum covers the settled rows of a part: their number and the sum of their hashes. If
it is the same as at the last verification, so are the rows, and only newer rows need to be checked. Otherwise rows were
deleted (by a revert, a compaction, or by mistake) or damaged, and the whole part is checked again.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from db.administration import verifications
from db.administration.verifications import Blocks, PartChecksum, StorageState, Verification, VerifiedPart
from db.repositories.sketches import ALL_MONTHS
from domain.archive import ArchivedFile
from domain.intervals import month_number
from domain.locations import Location
from ingest.observations.lane_days import first_day_of
from ingest.verification.fingerprints import MAX_VALIDITY_DAYS
from ingest.verification.snapshot import Snapshot, run_both

ORIGINS_PER_PART = 64
"""Number of origin IDs in a range. The rows of a range share a checksum for each month."""
PERIOD_DAYS = 32
"""Days of a period. Observations that begin in the same period share a checksum."""
BLOCKS_PER_STEP = 32_768
"""Blocks that one statement reads for checksums: 256 MB, or less than half a second."""
MAX_AGE = 1 << 30
"""Number of transactions after which their IDs no longer order rows reliably: PostgreSQL compares them modulo 2^32."""
TOTALS, SKETCHES, PRICES = "price_totals", "price_sketches", "prices"

Report = Callable[[float], None]
"""Receives the fraction that is done (0 to 1)."""


class Part(NamedTuple):
    """A month, counted from January 1970, and a range of origins, named by its first ID."""

    month: int
    first_origin: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows that a verification has to check.

    Attributes:
        before: Rows that are not settled before this transaction are new.
        parts: Parts whose rows are all checked; None stands for all parts. In other parts only new rows are checked.
        checksums: Checksums of the rows that are settled now, for the next verification.
    """

    before: int
    parts: set[Part] | None
    checksums: list[VerifiedPart]

    def list_months(self) -> set[int]:
        """Return the months that have totals."""
        return {_month_of(part.period) for part in self.checksums if part.subject == TOTALS}

    def list_damaged_periods(self) -> list[tuple[int, int]]:
        """Return the period and first origin of parts whose month does not begin on its first day.

        Only damaged totals and sketches are in such a part.
        """
        return [
            (part.period, part.first_origin)
            for part in self.checksums
            if part.subject != PRICES and part.period != first_day_of(_month_of(part.period))
        ]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Data on which totals and sketches depend, besides the stored observations.

    The sketches of `stale` months have not been built yet, and are not read; ALL_MONTHS stands for all months.
    """

    locations: Sequence[Location]
    files: Sequence[ArchivedFile]
    stale: Sequence[date] = ()

    def is_stale(self, month: int) -> bool:
        """Return whether the sketches of a month, counted from January 1970, are stale."""
        return any(day == ALL_MONTHS or month_number(day) == month for day in self.stale)

    def hash_tree(self, last_location: int) -> bytes:
        """Return the SHA-256 of the locations up to an ID, with their parents.

        Newer locations are left out, because adding a location changes no totals.
        """
        tree = sorted((each.id, each.parent_id or 0) for each in self.locations if each.id <= last_location)
        return hashlib.sha256(repr(tree).encode()).digest()

    def list_files(self) -> list[list[int]]:
        """Return number, first and last day, and number of reverted batches of each file."""
        return [
            [file.id, _day_number(file.first_day), _day_number(file.last_day), len(file.reverted)]
            for file in self.files
        ]

    @property
    def last_location(self) -> int:
        """Return the largest ID of a location."""
        return max((each.id for each in self.locations), default=0)


class _Sum(NamedTuple):
    """Number of rows, and sum of their hashes."""

    row_count: int
    checksum: Decimal


NO_ROWS = _Sum(0, Decimal(0))


@dataclass(slots=True)
class _PartState:
    """Rows of a part: those settled at the last verification, and those settled now."""

    last_day: int
    verified: _Sum = NO_ROWS
    settled: _Sum = NO_ROWS

    def add(self, part: PartChecksum) -> None:
        """Add the rows of some blocks."""
        self.last_day = max(self.last_day, part.last_day)
        if part.is_verified:
            self.verified = _Sum(self.verified.row_count + part.row_count, self.verified.checksum + part.checksum)
        if part.is_settled:
            self.settled = _Sum(self.settled.row_count + part.row_count, self.settled.checksum + part.checksum)


_Key = tuple[str, int, int]
"""Table, period and first origin of a part."""


async def find_scope(snapshot: Snapshot, inputs: Inputs, last: Verification | None, report: Report) -> Scope:
    """Return the scope of a verification: what has changed since the last one.

    It is everything if there was no verification, if the tree has changed, or if the storage is another one.
    """
    state = snapshot.state
    if last is not None and not _is_usable(last, state, inputs):
        last = None
    before = state.settled_xid if last is None else last.settled_xid
    found: dict[_Key, _PartState] = {}
    count, done = state.total_blocks + state.sketch_blocks + state.price_blocks, 0

    async def read(subject: str, size: int, list_checksums: Callable[[Blocks], Awaitable[list[PartChecksum]]]) -> None:
        nonlocal done
        for blocks in split_blocks(size, BLOCKS_PER_STEP):
            for part in await list_checksums(blocks):
                key = (subject, part.period, part.first_origin)
                found.setdefault(key, _PartState(part.last_day)).add(part)
            done += blocks.until - blocks.first
            report(done / count)

    def list_totals(blocks: Blocks) -> Awaitable[list[PartChecksum]]:
        return verifications.list_totals_checksums(
            snapshot.connection, blocks, ORIGINS_PER_PART, before=before, settled=state.settled_xid
        )

    def list_prices(blocks: Blocks) -> Awaitable[list[PartChecksum]]:
        return verifications.list_prices_checksums(
            snapshot.second_connection, blocks, ORIGINS_PER_PART, before=before, settled=state.settled_xid
        )

    def list_sketches(blocks: Blocks) -> Awaitable[list[PartChecksum]]:
        return verifications.list_sketches_checksums(
            snapshot.second_connection, blocks, ORIGINS_PER_PART, before=before, settled=state.settled_xid
        )

    async def read_sketches_and_prices() -> None:
        await read(SKETCHES, state.sketch_blocks, list_sketches)
        await read(PRICES, state.price_blocks, list_prices)

    await run_both(read(TOTALS, state.total_blocks, list_totals), read_sketches_and_prices())
    checksums = [VerifiedPart(*key, *part.settled, part.last_day) for key, part in found.items()]
    if last is None:
        return Scope(before, None, checksums)
    verified = {part[:3]: part for part in await verifications.list_verified_parts(snapshot.connection)}
    return Scope(before, _find_changed_parts(found, verified, inputs, last), checksums)


def split_blocks(size: int, step: int) -> Iterator[Blocks]:
    """Yield the ranges of blocks of a table."""
    for first in range(0, size, step):
        yield Blocks(first, min(first + step, size))


def _is_usable(last: Verification, state: StorageState, inputs: Inputs) -> bool:
    return (
        last.storage == state.identity
        and 0 <= state.next_xid - last.settled_xid < MAX_AGE
        and last.tree_sha256 == inputs.hash_tree(last.last_location)
    )


def _find_changed_parts(
    found: dict[_Key, _PartState],
    verified: dict[_Key, VerifiedPart],
    inputs: Inputs,
    last: Verification,
) -> set[Part]:
    parts, months = set[Part](), {_month_of(_day_number(month)) for month in last.failed}
    for key in found.keys() | verified.keys():
        present, former = found.get(key), verified.get(key)
        now = present.verified if present else NO_ROWS
        then = _Sum(former.row_count, former.checksum) if former else NO_ROWS
        if now == then:
            continue
        subject, period, first_origin = key
        if subject != PRICES:
            parts.add(Part(_month_of(period), first_origin))
        else:
            last_day = max(part.last_day for part in (present, former) if part is not None)
            # Days before 1970 are rounded towards 0.
            first_day = period if period > 0 else period - PERIOD_DAYS + 1
            months |= _list_months(first_day, min(last_day, period + PERIOD_DAYS + MAX_VALIDITY_DAYS))
    present_files, former_files = ({tuple(file) for file in files} for files in (inputs.list_files(), last.files))
    for _, first_day, last_day, _ in present_files ^ former_files:
        months |= _list_months(first_day, last_day)
    origins = {each.id // ORIGINS_PER_PART * ORIGINS_PER_PART for each in inputs.locations}
    origins |= {first for subject, _, first in found.keys() | verified.keys() if subject != PRICES}
    return parts | {Part(month, first) for month in months for first in origins}


def _day_number(day: object) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))  # type: ignore[call-overload]


def _month_of(day: int) -> int:
    return int(np.datetime64(day, "D").astype("datetime64[M]").astype(np.int64))


def _list_months(first_day: int, last_day: int) -> set[int]:
    return set(range(_month_of(first_day), _month_of(last_day) + 1))
