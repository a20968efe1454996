"""Previews against the oracle: they match `averagePrices` before and after the upload."""

import asyncio
import gzip
import io
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.pool import INGEST, Pool, connect, open_pool
from db.repositories import locations
from domain.batch_size import DEFAULT_LIMITS
from domain.batches import BatchOutcome, BatchStatus, FileFormat, OnError
from domain.prices import DailyAverages
from ingest.batches import aggregation, pipeline, preview
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.readers import line_blocks, price_file
from ingest.tree import change_tree
from resolvers.averages import AveragePricesQuery, average_prices
from resolvers.context import RequestContext
from resolvers.uploads import dry_runs
from resolvers.uploads.dry_runs import AverageChange, DryRun
from server.ingest_adapter import create_previewer
from tests.support.batches.forms import allow_changes, refuse_changes
from tests.support.batches.strategies import amounts, as_upload, clear, worlds
from tests.support.contexts import reading_context
from tests.support.databases.dumps import dump
from tests.support.worlds import Item, World, apply_frame, by_key, frame_of

Day = tuple[str, str, date]
Average = tuple[float | None, int]
Averages = Mapping[Day, Average]
Change = tuple[Day, Average, Average]
FIRST, LAST = date(2024, 1, 29), date(2024, 2, 4)
PORTS = ["AAAAA", "BBBBB"]
HEADER = "origin,destination,date_from,date_to,price,currency\n"
LINE = "AAAAA,BBBBB,2024-01-01,2024-01-02,{},USD\n"

# Few lanes and days, so that most have averages. Some prices are round, so that changes are often equal.
items = st.builds(
    lambda origin, destination, start, length, price: Item(
        origin, destination, FIRST + timedelta(days=start), FIRST + timedelta(days=start + length), price
    ),
    st.sampled_from(PORTS),
    st.sampled_from(PORTS),
    st.integers(0, 2),
    st.integers(0, 3),
    st.one_of(amounts, st.integers(-2, 2).map(Decimal)),
)


def dry_run_context(pool: Pool) -> RequestContext:
    """Return the context of a request with permission for dry runs."""
    context = reading_context(pool)
    context.app.preview_upload = create_previewer(pool, pool, DEFAULT_LIMITS)
    return context


async def read_averages(pool: Pool) -> Averages:
    """Return (average, count) of every day of every lane between two ports."""
    context = reading_context(pool)
    found: dict[Day, Average] = {}
    for origin, destination in product(PORTS, PORTS):
        [answer] = await average_prices(
            context, [AveragePricesQuery(FIRST, LAST, origin, destination, with_statistics=False)]
        )
        assert isinstance(answer, DailyAverages)
        rows = zip(answer.days.days(), answer.averages, answer.counts, strict=True)
        found.update(((origin, destination, day), (average, count)) for day, average, count in rows)
    return found


def expect_changes(before: Averages, after: Averages, ids: Mapping[str, int]) -> list[Change]:
    """Return all days of lanes whose average changes, in the expected order."""
    changed = [day for day in after if after[day][0] is not None and before[day][0] != after[day][0]]

    def rank(day: Day) -> tuple[bool, int, date, int, int]:
        old, new = before[day][0], after[day][0] or 0
        move = abs(round(new * 100) - round((old or 0) * 100))
        return old is None, -move, day[2], ids[day[0]], ids[day[1]]

    return [(day, before[day], after[day]) for day in sorted(changed, key=rank)]


def to_changes(changes: Iterable[AverageChange]) -> list[Change]:
    """Return the changes of a preview in the form of `expect_changes`."""
    return [
        (
            (change.origin.key, change.destination.key, change.day),
            (change.average_before, change.count_before),
            (change.average_after, change.count_after),
        )
        for change in changes
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    world=worlds(),
    earlier=st.lists(st.lists(items, min_size=12, max_size=24), min_size=1, max_size=2),
    offered=st.lists(items, min_size=4, max_size=16),
    compacted=st.booleans(),
    reverted=st.booleans(),
    sliced=st.booleans(),
    all_by_day=st.booleans(),
    limit=st.sampled_from([3, 10_000]),
)
def test_preview_averages_match_those_before_and_after_the_upload(
    module_database_url: str,
    world: World,
    earlier: list[list[Item]],
    offered: list[Item],
    compacted: bool,
    reverted: bool,
    sliced: bool,
    all_by_day: bool,
    limit: int,
) -> None:
    async def live() -> None:
        async with (
            connect(module_database_url, INGEST) as connection,
            open_pool(module_database_url, INGEST, max_size=2) as pool,
        ):
            await clear(connection)
            await (refuse_changes if all_by_day else allow_changes)(connection)
            await change_tree(connection, world.entries())
            ids = {key: location.id for key, location in by_key(await locations.list_locations(connection)).items()}
            applied = [(await apply_frame(connection, frame_of(upload)))[0] for upload in earlier]
            if reverted and applied:
                await revert_batch(connection, applied[0])
            if compacted:
                await compact(connection, max_rows=1)
            before, rows = await read_averages(pool), dump(module_database_url)
            tried = await dry_runs.dry_run_prices(
                dry_run_context(pool),
                [as_upload(item) for item in offered],
                on_error=OnError.REJECT_BATCH,
                idempotency_key=None,
            )
            assert dump(module_database_url) == rows
            _, outcome = await apply_frame(connection, frame_of(offered))
            expected = expect_changes(before, await read_averages(pool), ids)
        found = tried.preview
        assert found is not None
        assert found.outcome == outcome
        assert to_changes(found.changes) == expected[:limit]
        assert found.new_average_count == sum(average is None for _, (average, _), _ in expected)
        lanes = {(item.origin, item.destination) for item in offered}
        assert [(origin.key, destination.key) for origin, destination in found.lanes] == sorted(
            lanes, key=lambda lane: (ids[lane[0]], ids[lane[1]])
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "MAX_DELTAS", limit)
        if sliced:
            reduce_limits(patch)
        asyncio.run(live())


def reduce_limits(patch: pytest.MonkeyPatch) -> None:
    """Reduce the slice size to a few lines and the memory limit to a few rows."""
    patch.setattr(line_blocks, "MAX_LINES", 2)
    patch.setattr(price_file, "MAX_LINES", 2)
    patch.setattr(pipeline, "MAX_ROWS", 5)
    patch.setattr(preview, "MAX_PENDING_ROWS", 3)
    patch.setattr(aggregation, "MAX_LANES", 1)


@pytest.fixture
async def small(connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database with two ports, where files have many slices."""
    reduce_limits(monkeypatch)
    await change_tree(connection, World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"}).entries())
    return database_url


async def dry_run_text(
    database_url: str, text: str, on_error: OnError = OnError.REJECT_BATCH, file_format: FileFormat = FileFormat.CSV
) -> DryRun:
    """Run a dry run of a price file."""
    data = (
        gzip.compress(text.encode(), compresslevel=0, mtime=0) if file_format is FileFormat.CSV_GZIP else text.encode()
    )
    async with open_pool(database_url, INGEST, max_size=2) as pool:
        return await dry_runs._dry_run_payload(
            dry_run_context(pool), io.BytesIO(data), file_format, on_error=on_error, idempotency_key=None
        )


@pytest.mark.anyio
@pytest.mark.parametrize("file_format", [FileFormat.CSV, FileFormat.CSV_GZIP])
async def test_preview_combines_all_slices_of_a_file(small: str, file_format: FileFormat) -> None:
    text = HEADER + "".join(LINE.format(price) for price in range(100, 121))
    tried = await dry_run_text(small, text, file_format=file_format)
    assert tried.preview is not None
    day = date(2024, 1, 1)
    assert tried.preview.outcome == BatchOutcome(
        BatchStatus.APPLIED, 21, 21, 0, 21, 42, 1, first_day=day, last_day=date(2024, 1, 2)
    )
    assert to_changes(tried.preview.changes) == [
        (("AAAAA", "BBBBB", date(2024, 1, number)), (None, 0), (110, 21)) for number in (1, 2)
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("on_error", OnError)
async def test_preview_lists_problems_of_all_slices_in_order(small: str, on_error: OnError) -> None:
    bad = LINE.format("x")
    text = HEADER + (LINE.format(1) * 3 + bad) * 4 + LINE.format(2).replace("BBBBB", "AAAAA")
    tried = await dry_run_text(small, text, on_error)
    assert [(error.number, error.item, error.code) for error in tried.user_errors] == [
        (number, 4 * number, "INVALID_PRICE") for number in range(1, 5)
    ]
    assert [(warning.number, warning.item, warning.code) for warning in tried.warnings] == [(5, 17, "SAME_PORT")]
    outcome = tried.preview.outcome if tried.preview else None
    if on_error is OnError.REJECT_BATCH:
        assert outcome == BatchOutcome(BatchStatus.REJECTED, 17, 0, 4)
    else:
        assert outcome is not None
        assert (outcome.status, outcome.accepted_count, outcome.lane_count) == (BatchStatus.APPLIED, 13, 2)


@pytest.mark.anyio
async def test_preview_of_a_file_with_a_broken_last_line_is_rejected(small: str) -> None:
    tried = await dry_run_text(small, HEADER + LINE.format(1) * 5 + "one,two,three,four,five,six,seven\n")
    assert tried.preview is not None
    assert tried.preview.outcome == BatchOutcome(BatchStatus.REJECTED, 0, 0, 0)
    [problem] = tried.user_errors
    assert (problem.item, problem.field, problem.code) == (None, None, "BROKEN_FILE")


@pytest.mark.anyio
async def test_preview_truncates_the_lane_list(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "MAX_LANES", 1)
    tried = await dry_run_text(small, HEADER + LINE.format(1) + LINE.format(1).replace("AAAAA", "BBBBB"))
    assert tried.preview is not None
    assert tried.preview.outcome.lane_count == 2
    assert [(origin.key, destination.key) for origin, destination in tried.preview.lanes] == [("AAAAA", "BBBBB")]
