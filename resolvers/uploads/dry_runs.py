"""Dry runs: the result that an upload would have, without changing anything."""

import asyncio
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from db.repositories.previews import AverageDelta, Preview
from domain.batches import BatchOutcome, FileFormat, OnError, Rejection, Severity
from domain.locations import Lane, Location
from domain.prices import MIN_PRICES_FOR_STATISTICS, round_half_away
from resolvers.context import RequestContext
from resolvers.uploads.batch_storage import require_room
from resolvers.uploads.batches import INVALID_TEXT, validate_idempotency_key, validate_items
from resolvers.uploads.items import PriceItem, encode_items, validate_size
from resolvers.uploads.price_files import UploadedFile, detect_file_format


@dataclass(frozen=True, slots=True)
class AverageChange:
    """Average of a day that the upload would change, in US dollars.

    `average_before` is None if the day has no average yet.
    """

    origin: Location
    destination: Location
    day: date
    average_before: float | None
    average_after: float
    count_before: int
    count_after: int


@dataclass(frozen=True, slots=True)
class UploadPreview:
    """Preview of an upload: its outcome, its first lanes and the largest changes of averages."""

    outcome: BatchOutcome
    lanes: list[tuple[Location, Location]]
    changes: list[AverageChange]
    new_average_count: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """Result of a dry run. An upload without a preview would be refused as a whole."""

    preview: UploadPreview | None = None
    user_errors: list[Rejection] = field(default_factory=list)
    warnings: list[Rejection] = field(default_factory=list)


async def dry_run_prices(
    context: RequestContext, items: Sequence[PriceItem], *, on_error: OnError, idempotency_key: str | None
) -> DryRun:
    """Dry-run an upload of items. Raise RequestError (DRY_RUN_BUSY, NO_ROOM)."""
    limits = context.app.limits
    problem = validate_items(items, limits.max_items) or await asyncio.to_thread(validate_size, items, limits.batch)
    if problem is not None:
        return DryRun(user_errors=[problem])
    try:
        data = await asyncio.to_thread(encode_items, items)
    except UnicodeEncodeError:
        return DryRun(user_errors=[INVALID_TEXT])
    return await _dry_run_payload(
        context, io.BytesIO(data), FileFormat.NDJSON, on_error=on_error, idempotency_key=idempotency_key
    )


async def _dry_run_payload(
    context: RequestContext, file: BinaryIO, file_format: FileFormat, *, on_error: OnError, idempotency_key: str | None
) -> DryRun:
    """Dry-run a payload, which needs as much room as an upload.

    Raise RequestError (DRY_RUN_BUSY, NO_ROOM). The idempotency key is validated, but neither stored nor looked up. The caller
    closes the file.
    """
    problem = validate_idempotency_key(idempotency_key)
    if problem is not None:
        return DryRun(user_errors=[problem])
    require_room(context)
    preview = await context.app.preview_upload(file, file_format, on_error)
    return DryRun(
        await _describe(context, preview),
        user_errors=[rejection for rejection in preview.rejections if rejection.severity is Severity.ERROR],
        warnings=[rejection for rejection in preview.rejections if rejection.severity is Severity.WARNING],
    )


async def dry_run_price_file(
    context: RequestContext,
    file: UploadedFile,
    *,
    file_format: FileFormat | None,
    on_error: OnError,
    idempotency_key: str | None,
) -> DryRun:
    """Dry-run an upload of a file. Raise RequestError (DRY_RUN_BUSY, NO_ROOM)."""
    found = await detect_file_format(file, file_format)
    if isinstance(found, Rejection):
        return DryRun(user_errors=[found])
    return await _dry_run_payload(context, file.file, found, on_error=on_error, idempotency_key=idempotency_key)


async def _describe(context: RequestContext, preview: Preview) -> UploadPreview:
    ports = await _load_ports(context, [*preview.lanes, *(delta.lane for delta in preview.deltas)])
    return UploadPreview(
        preview.outcome,
        lanes=[(ports[lane.origin], ports[lane.destination]) for lane in preview.lanes],
        changes=[_to_change(delta, ports) for delta in preview.deltas],
        new_average_count=preview.new_average_count,
    )


async def _load_ports(context: RequestContext, lanes: Iterable[Lane]) -> Mapping[int, Location]:
    ids = {end for lane in lanes for end in (lane.origin, lane.destination)}
    found = await context.loaders.location_by_id.load_many(ids)
    return {location.id: location for location in found if location is not None}


def _to_change(delta: AverageDelta, ports: Mapping[int, Location]) -> AverageChange:
    has_average = delta.count_before >= MIN_PRICES_FOR_STATISTICS
    return AverageChange(
        ports[delta.lane.origin],
        ports[delta.lane.destination],
        delta.day,
        average_before=round_half_away(delta.sum_before, delta.count_before) / 100 if has_average else None,
        average_after=round_half_away(delta.sum_after, delta.count_after) / 100,
        count_before=delta.count_before,
        count_after=delta.count_after,
    )
