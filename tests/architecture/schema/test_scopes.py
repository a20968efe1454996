"""Guard of scopes: each root field declares its scope, and batches have no open path.

A missing scope restricts a field to admins. A wrong scope opens it to too many callers. `test_access_control.py`
checks each field of the list over real connections.
"""

from graphql import GraphQLField, get_named_type, is_abstract_type

from graph.schema import schema
from resolvers.caller import AuthScope
from tests.support.schema.scopes import ADMIN, PUBLIC, READ, UPLOAD, declared_scopes, object_types

BATCH_FIELDS = {
    "Query.node",
    "Query.nodes",
    "Query.batch",
    "Query.batchByKey",
    "PriceBatchEdge.node",
    "Subscription.batchProgress",
    "PricesChanged.batch",
    "UploadPricesPayload.batch",
    "RevertBatchPayload.batch",
}
"""Fields that expose a batch to its uploader and to admins only.
`tests/resolvers/uploads/test_batch_ownership.py` tests each one.
"""

BATCH_CONTENT_FIELDS = {
    "PriceBatch.uploader",
    "PriceBatch.idempotencyKey",
    "PriceBatch.rejections",
    "PriceBatch.rejectionsUrl",
    "PriceBatch.lanes",
}
"""Fields that expose the uploader or content of a batch. They are on the batch itself, and access to it is guarded."""
PARTS = {"Rejection", "RejectionConnection", "RejectionEdge", "LaneConnection", "LaneEdge"}


def leads_to_batch(field: GraphQLField) -> bool:
    """Return whether the field may return a batch, directly or through an interface."""
    type_ = get_named_type(field.type)
    possible = schema._schema.get_possible_types(type_) if is_abstract_type(type_) else [type_]
    return "PriceBatch" in {each.name for each in possible}


def test_scopes_of_root_fields_are_declared_as_expected() -> None:
    expected = (
        dict.fromkeys(READ, AuthScope.READ)
        | dict.fromkeys(UPLOAD, AuthScope.UPLOAD)
        | dict.fromkeys(ADMIN, AuthScope.ADMIN)
        | dict.fromkeys(PUBLIC)
    )
    assert declared_scopes() == expected


def test_scopes_batch_is_reachable_only_through_guarded_fields() -> None:
    fields = {
        f"{type_.name}.{name}"
        for type_ in object_types()
        for name, field in type_.fields.items()
        if leads_to_batch(field)
    }
    assert fields == BATCH_FIELDS


def test_scopes_batch_contents_are_exposed_only_by_price_batch_fields() -> None:
    names = {name.partition(".")[2] for name in BATCH_CONTENT_FIELDS}
    fields = {
        f"{type_.name}.{name}"
        for type_ in object_types()
        for name, field in type_.fields.items()
        if type_.name not in PARTS and (name in names - {"lanes"} or get_named_type(field.type).name in PARTS)
    }
    assert fields == BATCH_CONTENT_FIELDS
