"""Questions to the schema without a server: answers as a client receives them."""

import orjson

from db.pool import Pool
from server.app import create_schema
from server.config.settings import Settings
from tests.support.analysis.figures import Json
from tests.support.analysis.questions import DOCUMENTS
from tests.support.contexts import reading_context

UNLIMITED = create_schema(Settings().model_copy(update={"max_cost": 10**9, "max_response_bytes": 10**9}))


async def ask(pool: Pool, name: str, variables: Json) -> tuple[Json | None, list[Json]]:
    """Return the answer to a question of `DOCUMENTS`, and the errors."""
    result = await UNLIMITED.execute_operation(
        DOCUMENTS[name], variables, None, reading_context(pool), only_queries=True
    )
    decoded = orjson.loads(orjson.dumps({"data": result.data, "errors": result.errors}))
    return decoded["data"] and decoded["data"][name], decoded["errors"]
