"""Questions to the schema without a server: answers as a client receives them."""

import orjson

from db.pool import Pool
from resolvers.context import Limits, RequestContext
from server.app import create_schema
from server.config.settings import Settings
from tests.support.analysis.figures import Json
from tests.support.analysis.questions import DOCUMENTS
from tests.support.contexts import reading_context

UNLIMITED = create_schema(Settings().model_copy(update={"max_cost": 10**9, "max_response_bytes": 10**9}))


FROM_SKETCHES = Limits(max_exact_prices=0)
"""Limits with which every pair of two regions has its statistics from sketches."""


async def ask(pool: Pool, name: str, variables: Json, limits: Limits | None = None) -> tuple[Json | None, list[Json]]:
    """Return the answer to a question of `DOCUMENTS`, and the errors."""
    return await ask_in(reading_context(pool, limits), name, variables)


async def ask_in(context: RequestContext, name: str, variables: Json) -> tuple[Json | None, list[Json]]:
    """Return the answer to a question of `DOCUMENTS` in a context, and the errors."""
    result = await UNLIMITED.execute_operation(DOCUMENTS[name], variables, None, context, only_queries=True)
    decoded = orjson.loads(orjson.dumps({"data": result.data, "errors": result.errors}))
    return decoded["data"] and decoded["data"][name], decoded["errors"]
