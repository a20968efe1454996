"""Objects by global ID: the locations and batches that the caller may see."""

import asyncio
from collections.abc import Sequence

from domain.batches import PriceBatch
from domain.locations import Location
from resolvers.caller import AuthScope, describe_denial
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.locations import find_by_key
from resolvers.relay.global_ids import BATCH, decode_global_id, encode_location_id, parse_batch_key

NodeModel = Location | PriceBatch
MAX_ID_ERRORS = 20
"""Maximum number of IDs that fail alone. With more of them the list fails as a whole."""


async def find_node(context: RequestContext, text: str) -> NodeModel | None:
    """Return the object with the global ID; None if none exists or the caller may not see it.

    Raise RequestError: INVALID_ID, and UNAUTHENTICATED or FORBIDDEN for a batch if the caller lacks the upload scope.
    """
    found = await _find(context, text, "id")
    if isinstance(found, RequestError):
        raise found
    return found


async def find_nodes(context: RequestContext, texts: Sequence[str]) -> list[NodeModel | RequestError | None]:
    """Return the object, None or the error of each global ID, in their order.

    Raise RequestError (TOO_MANY_IDS).
    """
    max_ids = context.app.limits.max_page_size
    if len(texts) > max_ids:
        message = f"ids may contain at most {max_ids} entries (got {len(texts)}); send several requests."
        raise RequestError("TOO_MANY_IDS", message, argument="ids")
    # Concurrent, so that all IDs of a kind share one statement. Fields with the same IDs share the lookups.
    found = context.found_nodes
    missing = [text for text in dict.fromkeys(texts) if text not in found]
    for text in missing:
        found[text] = asyncio.ensure_future(_find(context, text, "ids"))
    nodes = await asyncio.gather(*(found[text] for text in texts))
    errors = [node for node in nodes if isinstance(node, RequestError)]
    if len(errors) > MAX_ID_ERRORS:
        # One error says as much as hundreds, each of which takes as long as a node.
        raise RequestError(
            message=f"{errors[0]} {len(errors):,} of the {len(texts):,} IDs failed.",
            **errors[0].extensions,  # type: ignore[arg-type]
        )
    return nodes


async def _find(context: RequestContext, text: str, argument: str) -> NodeModel | RequestError | None:
    global_id = decode_global_id(text)
    if global_id is None:
        message = "Not a global ID; pass the `id` of an object. A batch is found by its number with `batch`."
        return RequestError("INVALID_ID", message, argument=argument)
    if global_id.type_name == BATCH:
        return await _find_batch(context, global_id.key)
    return await _find_location(context, text, global_id.key)


async def _find_batch(context: RequestContext, key: str) -> PriceBatch | RequestError | None:
    # The scope is checked before the lookup, so that the answer does not reveal whether the batch exists.
    if AuthScope.UPLOAD not in context.caller.scopes:
        return RequestError(*describe_denial(context.caller, [AuthScope.UPLOAD]))
    number = parse_batch_key(key)
    batch = None if number is None else await context.loaders.batch_by_id.load(number)
    return batch if batch is not None and context.caller.can_see(batch.uploader) else None


async def _find_location(context: RequestContext, text: str, key: str) -> Location | None:
    location = await find_by_key(context, key)
    # An object has a single ID: neither another case of its key nor the other type is one.
    return location if location is not None and encode_location_id(location) == text else None
