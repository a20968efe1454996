"""Error boundary of the routes: expected exceptions become JSON responses."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from starlette.responses import Response

from db.errors import DatabaseError
from graph.authorization import PermissionDenied
from server.http.errors import HttpError, forbidden, unavailable

P = ParamSpec("P")


def guarded(handler: Callable[P, Awaitable[Response]]) -> Callable[P, Coroutine[Any, Any, Response]]:
    """Return the handler with refused requests and database failures converted to responses."""

    @wraps(handler)
    async def guarded_handler(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return await handler(*args, **kwargs)
        except HttpError as error:
            return error.to_response()
        except PermissionDenied as error:
            return forbidden(error).to_response()
        except DatabaseError as error:
            return unavailable(error).to_response()

    return guarded_handler
