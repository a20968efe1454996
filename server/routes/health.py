"""Health checks: `/livez` (the process runs) and `/readyz` (it can serve requests)."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from db.errors import DatabaseError


def health_routes() -> list[Route]:
    """Return the routes of both health checks."""
    return [Route("/livez", livez), Route("/readyz", readyz)]


async def livez(_request: Request) -> Response:
    """Liveness probe: the process runs."""
    return PlainTextResponse("alive\n")


async def readyz(request: Request) -> Response:
    """Readiness probe: the database answers and the server is not draining."""
    if request.state.drain_state.unready:
        return PlainTextResponse("the server is draining\n", status_code=503)
    try:
        await request.state.app_context.pool.ping()
    except DatabaseError:
        return PlainTextResponse("the database does not answer\n", status_code=503, headers={"Retry-After": "2"})
    return PlainTextResponse("ready\n")
