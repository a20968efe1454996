"""Fingerprints: equal exactly when the totals are those of the observations."""

from collections import defaultdict
from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.locations import Location, LocationKind
from domain.prices import LASTING
from ingest.batches.aggregation import MonthTotals, totals_by_month
from ingest.observations.lane_days import LaneDays
from ingest.verification import field
from ingest.verification.fingerprints import MAX_VALIDITY_DAYS, Fingerprinter, Fingerprints, sum_fingerprints
from ingest.verification.rows import ChangeColumns, PriceRows, TotalRows

FIRST_DAY = (date(2023, 12, 20) - date(1970, 1, 1)).days


@st.composite
def trees(draw: st.DrawFn) -> list[Location]:
    """Draw a forest; the last four locations are ports, which may also lie on the top."""
    tree = [Location(1, LocationKind.REGION, "r1", "", None)]
    for number in range(2, 10):
        kind = LocationKind.REGION if number < 6 else LocationKind.PORT
        parent = draw(st.sampled_from([None, *(each.id for each in tree if each.kind is LocationKind.REGION)]))
        tree.append(Location(number, kind, f"l{number}", "", parent))
    return tree


ports = st.integers(6, 9)
prices = st.lists(
    st.tuples(ports, ports, st.integers(0, 70), st.sampled_from([0, 0, 1, 11, 40, 400]), st.integers(-(10**9), 10**9)),
    min_size=1,
    max_size=30,
)


def add_day(parts: list[tuple[int, int, int, bool]], day: int) -> tuple[int, int]:
    """Return the sum and the count of a day, from changes."""
    counted = [part for part in parts if part[2] == day or (part[3] and part[2] <= day)]
    return sum(part[0] for part in counted), sum(part[1] for part in counted)


def as_rows(totals: list[MonthTotals], *, as_changes: bool = False) -> TotalRows:
    """Return totals as rows: with all days of their month, or with changes."""
    keys: list[tuple[int, int, int]] = []
    cells: list[list[tuple[int, int, int]]] = []
    changes: list[list[tuple[int, int, int, bool]]] = []
    for month in totals:
        begin, end = (
            int(np.datetime64(number, "M").astype("datetime64[D]").astype(int))
            for number in (month.month, month.month + 1)
        )
        of_pair = defaultdict(list)
        for origin, destination, slot, total, count in zip(
            month.origin.tolist(), month.destination.tolist(), month.slot.tolist(), month.sums.tolist(), month.counts.tolist(),
            strict=True,
        ):  # fmt: skip
            of_pair[origin, destination].append((total, count, slot % LASTING, slot >= LASTING))
        for (origin, destination), parts in of_pair.items():
            keys.append((origin, destination, month.month))
            changes.append(parts)
            cells.append([(*add_day(parts, day), begin + day) for day in range(end - begin)])
    origins, destinations, months = (np.array(column, dtype=np.int64) for column in zip(*keys, strict=True))
    none = np.zeros(len(keys), dtype=np.int64)
    dense = [cell for row in cells for cell in row if not as_changes]
    sums, counts, days = np.array(dense, dtype=np.int64).reshape(-1, 3).T
    sparse = np.array([part for row in changes for part in row if as_changes], dtype=np.int64).reshape(-1, 4)
    columns = ChangeColumns(
        np.array([len(row) for row in changes]) if as_changes else none,
        sparse[:, 0], sparse[:, 1], sparse[:, 2], sparse[:, 3].astype(np.bool_),
    )  # fmt: skip
    lengths = none if as_changes else np.array([len(row) for row in cells])
    return TotalRows(origins, destinations, months, lengths, sums.copy(), counts.copy(), days.copy(), columns)


def observe(items: list[tuple[int, int, int, int, int]]) -> PriceRows:
    """Return prices as observations."""
    origin, destination, first, length, cents = (
        np.array(column, dtype=np.int64) for column in zip(*items, strict=True)
    )
    return PriceRows(origin, destination, FIRST_DAY + first, FIRST_DAY + first + length, cents)


def differ(tree: list[Location], totals: TotalRows, observations: PriceRows) -> bool:
    """Return whether any fingerprint differs."""
    fingerprinter = Fingerprinter(tree)
    stored = Fingerprints(totals.months, totals.origins, fingerprinter.fingerprint_totals(totals))
    expected = fingerprinter.roll_up(fingerprinter.fingerprint_prices(observations).totals, regions_only=False)
    return bool(field.is_nonzero(sum_fingerprints([stored, -expected]).values).any())


def build(tree: list[Location], items: list[tuple[int, int, int, int, int]], *, as_changes: bool = False) -> TotalRows:
    """Return the totals as a batch appends them."""
    rows = observe(items)
    origins, destinations, first_days, last_days = (column.astype(np.int32) for column in rows[:4])
    observations = LaneDays(origins, destinations, first_days, last_days, rows.usd_cents)
    return as_rows(list(totals_by_month(observations, tree)), as_changes=as_changes)


@given(trees(), prices)
def test_fingerprints_of_totals_and_their_observations_are_equal(
    tree: list[Location], items: list[tuple[int, int, int, int, int]]
) -> None:
    assert not differ(tree, build(tree, items), observe(items))
    assert not differ(tree, build(tree, items, as_changes=True), observe(items))


@given(trees(), prices, st.data())
def test_fingerprints_differ_after_any_single_bit_of_totals_flips(
    tree: list[Location], items: list[tuple[int, int, int, int, int]], data: st.DataObject
) -> None:
    totals = build(tree, items)
    column = data.draw(st.sampled_from(["sums", "counts", "origins", "destinations", "days"]))
    values = getattr(totals, column).copy()
    position = data.draw(st.integers(0, len(values) - 1))
    bit = data.draw(st.integers(0, 63 if column == "sums" else 30))
    values[position] ^= np.int64(-(2**63)) if bit == 63 else np.int64(1 << bit)
    damaged = totals._replace(**{column: values})
    row = np.repeat(np.arange(len(totals.origins)), totals.lengths)
    is_empty = (damaged.sums == 0) & (damaged.counts == 0)
    # Where nothing is stored, a wrong place changes nothing.
    touched = {"days": [position], "sums": [position], "counts": [position]}.get(
        column, np.flatnonzero(row == position)
    )
    assert differ(tree, damaged, observe(items)) == (column in ("sums", "counts") or not is_empty[touched].all())


@given(trees(), prices, st.data())
def test_fingerprints_differ_after_a_price_is_lost_doubled_or_changed(
    tree: list[Location], items: list[tuple[int, int, int, int, int]], data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, len(items) - 1))
    origin, destination, first, length, cents = items[position]
    other = data.draw(
        st.sampled_from(
            [
                [],
                [items[position]] * 2,
                [(origin, destination, first, length, cents + 1)],
                [(origin, destination, first, length, cents - 2**63 if cents >= 0 else cents + 2**63)],
                [(origin, destination, first + 1, length, cents)],
                [(origin, destination, first, length + 1, cents)],
                [(origin % 4 + 6, destination, first, length, cents)],
                [(origin, destination % 4 + 6, first, length, cents)],
            ]
        )
    )
    changed = items[:position] + other + items[position + 1 :]
    if changed:
        assert differ(tree, build(tree, items), observe(changed))


def test_fingerprints_of_a_damaged_last_day_end_after_the_longest_validity() -> None:
    tree = [Location(6, LocationKind.PORT, "l6", "", None)]
    endless = observe([(6, 6, 0, 2**30, 100)])
    months = set(Fingerprinter(tree).fingerprint_prices(endless).totals.months.tolist())
    assert 1 < len(months) <= MAX_VALIDITY_DAYS // 28 + 2


numbers = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20)
PRIME = 2**61 - 1


@given(numbers, st.integers(0, PRIME), st.integers(0, 2**32 - 1))
def test_field_agrees_with_integers_of_any_size(values: list[int], factor: int, small: int) -> None:
    array = field.from_signed(np.array(values, dtype=np.int64))
    assert [int(value) % PRIME for value in array] == [value % PRIME for value in values]
    for multiply, other in ((field.multiply, factor), (field.multiply_small, small)):
        products = multiply(array, np.full(len(array), other, dtype=np.uint64))
        assert max(products.tolist()) <= PRIME
        assert [int(product) % PRIME for product in products] == [value * other % PRIME for value in values]
    assert int(field.add_groups(array, np.array([0]))[0]) % PRIME == sum(values) % PRIME
    assert not field.is_nonzero(field.reduce(array + field.negate(array))).any()
