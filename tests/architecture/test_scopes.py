"""A field of a root type that forgot its scope would be for admins alone; one of the wrong scope is open to too many.

What tests over real connections prove of each field stands in `test_access_control.py`, which takes its list from here.
"""

from graphql import get_named_type

from resolvers.caller import AuthScope
from tests.support.schema.scopes import ADMIN, READ, UPLOAD, declared_scopes, object_types

WAYS_TO_A_BATCH = {
    "Query.batch",
    "Query.batchByKey",
    "PriceBatchEdge.node",
    "Subscription.batchProgress",
    "PricesChanged.batch",
    "UploadPricesPayload.batch",
    "RevertBatchPayload.batch",
}
"""Each shows a batch to its uploader and to admins alone; `tests/resolvers/uploads/test_batch_ownership.py` says so of each."""

WAYS_TO_WHAT_A_BATCH_HOLDS = {
    "PriceBatch.uploader",
    "PriceBatch.idempotencyKey",
    "PriceBatch.rejections",
    "PriceBatch.rejectionsUrl",
    "PriceBatch.lanes",
}
"""What tells of a batch's uploader or content is on the batch itself, whose ways are guarded."""
PARTS = {"Rejection", "RejectionConnection", "RejectionEdge", "LaneConnection", "LaneEdge"}


def test_scopes_of_root_fields_are_declared_as_expected() -> None:
    expected = (
        dict.fromkeys(READ, AuthScope.READ)
        | dict.fromkeys(UPLOAD, AuthScope.UPLOAD)
        | dict.fromkeys(ADMIN, AuthScope.ADMIN)
    )
    assert declared_scopes() == expected


def test_scopes_batch_is_reachable_only_through_guarded_fields() -> None:
    ways = {
        f"{type_.name}.{name}"
        for type_ in object_types()
        for name, field in type_.fields.items()
        if get_named_type(field.type).name == "PriceBatch"
    }
    assert ways == WAYS_TO_A_BATCH


def test_scopes_batch_contents_are_exposed_only_by_price_batch_fields() -> None:
    names = {way.partition(".")[2] for way in WAYS_TO_WHAT_A_BATCH_HOLDS}
    ways = {
        f"{type_.name}.{name}"
        for type_ in object_types()
        for name, field in type_.fields.items()
        if type_.name not in PARTS and (name in names - {"lanes"} or get_named_type(field.type).name in PARTS)
    }
    assert ways == WAYS_TO_WHAT_A_BATCH_HOLDS
