"""One run of each SQL section by its repository function, on the world of `fill`."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

from psycopg.rows import TupleRow

from db.administration import access, moves
from db.connection import Connection
from db.repositories import (
    audit,
    batches,
    lanes,
    locations,
    payloads,
    previews,
    prices,
    rates,
    tokens,
    totals,
    versions,
)
from db.repositories.audit import COMMAND, Action
from db.repositories.batches import Attempt
from db.repositories.versions import Position
from domain.batches import BatchOutcome, BatchStatus, OnError
from domain.compaction import KeyRange
from domain.locations import Lane, LocationKind
from domain.pages import PageRequest
from tests.support.sections.archive_runs import ARCHIVE_RUN_BEFORE, ARCHIVE_RUNS
from tests.support.sections.move_runs import MOVE_RUNS
from tests.support.sections.sample_runs import SAMPLE_RUNS
from tests.support.sections.sketch_runs import SKETCH_RUNS
from tests.support.sections.verification_runs import VERIFICATION_RUN_BEFORE, VERIFICATION_RUNS
from tests.support.sections.world import (
    APPLIED,
    CNAAA,
    CNBBB,
    DAYS,
    LEFT,
    MONTH,
    QUEUED,
    RATE,
    REJECTION,
    RIGHT,
    TOKEN,
    TOP,
    USNYC,
    copy_nothing,
)

Section = str
"""Subject and name, such as `totals.list_months`."""
Run = Callable[[Connection], Awaitable[object]]


async def _copy_out(connection: Connection) -> bytes:
    async with aclosing(prices.copy_out_batch(connection, APPLIED)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def _list_port_ids(connection: Connection) -> dict[int, list[int]]:
    """Return the IDs in order."""
    return {
        location: sorted(ids) for location, ids in (await locations.list_port_ids(connection, [TOP, CNAAA])).items()
    }


async def _pack_prices(connection: Connection) -> list[list[list[bytes]]]:
    """Return the sorted values of each column: the rows have no order."""
    requests = [([CNAAA, CNBBB], [USNYC], DAYS), ([CNAAA], [USNYC], DAYS)]
    return [
        [_split(column, width) for column, width in zip(packed, (8, 4, 4), strict=True)]
        for packed in await prices.pack_lane_prices(connection, requests)
    ]


def _split(column: bytes, width: int) -> list[bytes]:
    return sorted(column[at : at + width] for at in range(0, len(column), width))


async def _read_moved(connection: Connection) -> list[list[bytes]]:
    """Return the sorted lanes and arrays: the rows have no order."""
    packed = await moves.read_moved_month(connection, MONTH, 0)
    assert packed is not None
    by_day, by_change = len(packed.origins) // 4, len(packed.changed_origins) // 4
    return [
        _split(column, len(column) // max(rows, 1))
        for column, rows in zip(packed, [by_day] * 4 + [by_change] * 3, strict=True)
    ]


async def _list_deltas(connection: Connection) -> object:
    """Return the effect of an upload that repeats the prices of a lane on their first days."""
    await connection.execute(
        "INSERT INTO previewed_totals SELECT origin, destination, date_trunc('month', first_day), first_day,"
        f" ARRAY[usd_cents], '{{1}}' FROM prices WHERE (origin, destination) = ({CNAAA}, {USNYC})".encode()
    )
    return await previews.list_average_deltas(connection, limit=10)


RUNS: Mapping[Section, Run] = {
    "access.describe_session": access.describe_session,
    "access.get_schema": access.get_schema,
    "access.list_applied_migrations": access.list_applied_migrations,
    "access.list_installations": access.list_installations,
    "access.list_relations": lambda c: access.list_relations(c, ["prices"]),
    "access.list_schemas": lambda c: access.list_schemas(c, ["public"]),
    "access.lock_migrations": access.lock_migrations,
    "access.measure_database": lambda c: access.measure_database(c, ""),
    "audit.insert_entry": lambda c: audit.insert_entry(c, COMMAND, Action.UPLOAD, batch_id=APPLIED),
    "audit.list_entries": lambda c: audit.list_entries(c, since=None, limit=10),
    "batches.announce_batch": batches.announce_batch,
    "batches.begin_attempt": lambda c: batches.begin_attempt(c, max_attempts=5),
    "batches.claim_batch": lambda c: batches.claim_batch(c, QUEUED),
    "batches.clear_progress": batches.clear_progress,
    "batches.copy_rejections": lambda c: batches.copy_rejections(c, [REJECTION]),
    "batches.count_batches": lambda c: batches.count_batches(c, status=None, uploader=None),
    "batches.count_ended_since": lambda c: batches.count_ended_since(c, seconds=3_600),
    "batches.count_outcomes": batches.count_outcomes,
    "batches.count_rejections": lambda c: batches.count_rejections(c, APPLIED),
    "batches.end_batch": lambda c: batches.end_batch(c, QUEUED, BatchOutcome(BatchStatus.APPLIED, 1, 1, 0)),
    "batches.export_rejections": lambda c: batches.export_rejections(c, APPLIED, after=0, last=10),
    "batches.fail_exhausted": lambda c: batches.fail_exhausted(c, max_attempts=5),
    "batches.find_batch_by_key": lambda c: batches.find_batch_by_key(c, "key"),
    "batches.get_batches": lambda c: batches.get_batches(c, [APPLIED, QUEUED]),
    "batches.has_waiting_batches": batches.has_waiting_batches,
    "batches.insert_batch": lambda c: batches.insert_batch(
        c, on_error=OnError.REJECT_BATCH, source="test", idempotency_key="key", payload_sha256=b""
    ),
    "batches.list_batches": lambda c: batches.list_batches(c, PageRequest(10), status=None, uploader=None),
    "batches.list_batches_backward": lambda c: batches.list_batches_backward(
        c, PageRequest(10, is_backward=True), status=None, uploader=None
    ),
    "batches.list_changes": lambda c: batches.list_changes(c, None, limit=10),
    "batches.list_rejections": lambda c: batches.list_rejections(c, APPLIED, limit=10),
    "batches.lock_batch": lambda c: batches.lock_batch(c, APPLIED),
    "batches.mark_reverted": lambda c: batches.mark_reverted(c, APPLIED),
    "batches.measure_queue": batches.measure_queue,
    "batches.record_failure": lambda c: batches.record_failure(c, QUEUED, "broken", max_attempts=5),
    "batches.release_attempt": lambda c: batches.release_attempt(c, Attempt(QUEUED, 1)),
    "batches.report_progress": lambda c: batches.report_progress(c, QUEUED, 0.5),
    "batches.select_batches_with_rejections": lambda c: batches.select_batches_with_rejections(c, [APPLIED]),
    "lanes.insert_lanes": lambda c: lanes.insert_lanes(c, QUEUED, [CNAAA], [USNYC]),
    "lanes.list_lanes": lambda c: lanes.list_lanes(c, APPLIED, limit=10),
    "lanes.list_touched": lambda c: lanes.list_touched(c, [APPLIED], [Lane(LEFT, TOP), Lane(RIGHT, TOP)]),
    "locations.count_locations": lambda c: locations.count_locations(c, kind=None),
    "locations.count_ports_below": lambda c: locations.count_ports_below(c, [TOP, CNAAA]),
    "locations.delete_aliases": lambda c: locations.delete_aliases(c, ["shanghai"]),
    "locations.find_locations": lambda c: locations.find_locations(c, ["cnaaa", "top"]),
    "locations.find_named_locations": lambda c: locations.find_named_locations(c, ["name of top"]),
    "locations.get_locations": lambda c: locations.get_locations(c, [TOP, CNAAA]),
    "locations.insert_aliases": lambda c: locations.insert_aliases(c, [("other", "CNAAA", "test")]),
    "locations.is_tree_changing": locations.is_tree_changing,
    "locations.list_aliases": locations.list_aliases,
    "locations.list_ancestors": lambda c: locations.list_ancestors(c, [CNAAA]),
    "locations.list_children": lambda c: locations.list_children(c, [TOP]),
    "locations.list_id_ranges": lambda c: locations.list_id_ranges(c, 4),
    "locations.list_locations": locations.list_locations,
    "locations.list_names": locations.list_names,
    "locations.list_page": lambda c: locations.list_page(c, PageRequest(10), kind=None),
    "locations.list_page_backward": lambda c: locations.list_page_backward(
        c, PageRequest(10, is_backward=True), kind=LocationKind.PORT
    ),
    "locations.list_port_ids": _list_port_ids,
    "locations.list_ports_below": lambda c: locations.list_ports_below(c, [TOP]),
    "locations.lock_id_range": lambda c: locations.lock_id_range(c, 0),
    "locations.lock_tree_exclusive": locations.lock_tree_exclusive,
    "locations.lock_tree_shared": locations.lock_tree_shared,
    "locations.search_locations": lambda c: locations.search_locations(c, PageRequest(10), search="name", kind=None),
    "locations.set_parents": lambda c: locations.set_parents(c, [("CNAAA", "right")]),
    "locations.try_lock_id_range": lambda c: locations.try_lock_id_range(c, 0),
    "locations.try_lock_tree_exclusive": locations.try_lock_tree_exclusive,
    "locations.upsert_locations": lambda c: locations.upsert_locations(
        c, [(LocationKind.PORT, "CNAAA", "Another name"), (LocationKind.PORT, "CNCCC", "New port")]
    ),
    **MOVE_RUNS,
    "payloads.delete_old_keys": lambda c: payloads.delete_old_keys(c, days=0),
    "payloads.delete_old_payloads": lambda c: payloads.delete_old_payloads(c, days=0),
    "payloads.find_keys": lambda c: payloads.find_keys(c, "amqp:prices", ["m1"]),
    "payloads.find_payload": lambda c: payloads.find_payload(c, QUEUED),
    "payloads.get_payload_part": lambda c: payloads.get_payload_part(c, QUEUED, 0),
    "payloads.insert_keys": lambda c: payloads.insert_keys(
        c, "amqp:prices", QUEUED, [payloads.MessageKey("m1", b"", 1)]
    ),
    "payloads.insert_payload": lambda c: payloads.insert_payload(c, batch_id=QUEUED, part=1, format="csv", data=b""),
    "previews.analyze_previewed_totals": previews.analyze_previewed_totals,
    "previews.copy_previewed_totals": lambda c: previews.copy_previewed_totals(c, copy_nothing()),
    "previews.create_previewed_totals": previews.create_previewed_totals,
    "previews.list_average_deltas": _list_deltas,
    **ARCHIVE_RUNS,
    "prices.copy_out_batch": _copy_out,
    "prices.copy_prices": lambda c: prices.copy_prices(c, copy_nothing()),
    "prices.delete_batch_prices": lambda c: prices.delete_batch_prices(c, APPLIED),
    "prices.pack_lane_prices": _pack_prices,
    "rates.copy_rates": lambda c: rates.copy_rates(c, [RATE]),
    "rates.create_incoming_rates": rates.create_incoming_rates,
    "rates.list_currencies": rates.list_currencies,
    "rates.list_rates": lambda c: rates.list_rates(c, ["EUR"], DAYS),
    "rates.merge_rates": rates.merge_rates,
    **SAMPLE_RUNS,
    **SKETCH_RUNS,
    "tokens.find_tokens": lambda c: tokens.find_tokens(c, [TOKEN]),
    "tokens.insert_token": lambda c: tokens.insert_token(
        c, id=TOKEN, name="test", scopes=["read"], secret_sha256=b"", expires_at=None
    ),
    "tokens.list_tokens": tokens.list_tokens,
    "tokens.revoke_token": lambda c: tokens.revoke_token(c, TOKEN),
    "tokens.touch_tokens": lambda c: tokens.touch_tokens(c, [TOKEN]),
    "moves.analyze_moved_lanes": moves.analyze_moved_lanes,
    "totals.can_store_changes": totals.can_store_changes,
    "totals.collect_observed_month": lambda c: totals.collect_observed_month(c, MONTH),
    "totals.compact_keys": lambda c: totals.compact_keys(c, KeyRange((0, 0, MONTH), 1 << 20, 1, 100, 1_000)),
    "totals.copy_totals": lambda c: totals.copy_totals(c, copy_nothing()),
    "totals.create_ancestors": totals.create_ancestors,
    "totals.create_day_sums": totals.create_day_sums,
    "totals.delete_month": lambda c: totals.delete_month(c, MONTH),
    "totals.diff_month": lambda c: totals.diff_month(c, MONTH, limit=100),
    "moves.drop_moved_lanes": moves.drop_moved_lanes,
    "totals.list_months": totals.list_months,
    "totals.list_priced_lanes": lambda c: totals.list_priced_lanes(c, [CNAAA, CNBBB, USNYC], None),
    "moves.measure_moved_lanes": moves.measure_moved_lanes,
    "totals.pack_day_sums": totals.pack_day_sums,
    "moves.read_moved_month": _read_moved,
    "totals.select_day_totals": lambda c: totals.select_day_totals(
        c, [(Lane(CNAAA, TOP), DAYS), (Lane(TOP, TOP), DAYS)]
    ),
    "totals.select_lane_histories": lambda c: totals.select_lane_histories(c, [Lane(CNAAA, TOP), Lane(TOP, RIGHT)]),
    "totals.select_price_period": totals.select_price_period,
    "moves.store_moved_lanes": lambda c: moves.store_moved_lanes(c, [CNAAA], part_lanes=10),
    **VERIFICATION_RUNS,
    "versions.announce_change": lambda c: versions.announce_change(c, "test"),
    "versions.announce_position": lambda c: versions.announce_position(c, TOKEN),
    "versions.describe_server": versions.describe_server,
    "versions.locate_end": versions.locate_end,
    "versions.locate_position": versions.locate_position,
    "versions.measure_replay": lambda c: versions.measure_replay(c, Position("0/0", 1, "", "")),
    "versions.state_fingerprint": versions.state_fingerprint,
}
DAY_SUMS = ("totals.create_day_sums", "totals.create_ancestors", "totals.collect_observed_month")
MOVED_LANES = ("locations.set_parents", "moves.store_moved_lanes", "moves.analyze_moved_lanes")
RUN_BEFORE: Mapping[Section, tuple[Section, ...]] = {
    "previews.analyze_previewed_totals": ("previews.create_previewed_totals",),
    "previews.copy_previewed_totals": ("previews.create_previewed_totals",),
    "previews.list_average_deltas": ("previews.create_previewed_totals", "previews.analyze_previewed_totals"),
    "rates.copy_rates": ("rates.create_incoming_rates",),
    "rates.merge_rates": ("rates.create_incoming_rates", "rates.copy_rates"),
    **{section: (*DAY_SUMS, *before) for section, before in ARCHIVE_RUN_BEFORE.items()},
    "moves.analyze_moved_lanes": MOVED_LANES[:-1],
    "totals.collect_observed_month": DAY_SUMS[:-1],
    "totals.diff_month": DAY_SUMS,
    "moves.drop_moved_lanes": MOVED_LANES,
    "moves.measure_moved_lanes": MOVED_LANES,
    "totals.pack_day_sums": (*DAY_SUMS, "totals.delete_month"),
    "moves.read_moved_month": MOVED_LANES,
    **VERIFICATION_RUN_BEFORE,
}
"""Sections that fill a section's temporary tables, in the same transaction."""


async def run_section(connection: Connection, section: Section) -> object:
    """Run a section in the present transaction and return its result.

    The sections that fill its temporary tables run before it.
    """
    for before in RUN_BEFORE.get(section, ()):
        await RUNS[before](connection)
    return await RUNS[section](connection)


async def read_state(connection: Connection) -> list[list[TupleRow]]:
    """Return all observations, totals and sketches, in order."""
    statements = (
        b"SELECT * FROM prices ORDER BY batch_id, item, first_day",
        b"SELECT * FROM price_totals ORDER BY origin, destination, month, first_day, price_sums, packed_changes",
        b"SELECT * FROM price_sketches ORDER BY origin, destination, month, sketch",
    )
    return [await (await connection.execute(statement)).fetchall() for statement in statements]
