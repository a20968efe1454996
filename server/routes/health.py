"""Health checks: `/livez` (the process runs) and `/readyz` (it can serve requests)."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from db.errors import DatabaseError
from resolvers.context import AppContext


def health_routes() -> list[Route]:
    """Return the routes of both health checks."""
    return [Route("/livez", livez), Route("/readyz", readyz)]


async def livez(_request: Request) -> Response:
    """Liveness probe: the process runs."""
    return PlainTextResponse("alive\n")


async def readyz(request: Request) -> Response:
    """Readiness probe: the database answers and accepts writes, and the server is not draining."""
    if request.state.drain_state.unready:
        return PlainTextResponse("the server is draining\n", status_code=503)
    app_context: AppContext = request.state.app_context
    shortage = None if app_context.disk_space is None else app_context.disk_space.find_shortage()
    # Without room for uploads the server still answers queries.
    details = "" if shortage is None else f"{shortage}\n"
    # Nor does it need a replica, or reads at a worker of Citus.
    details += "".join(f"{server.name}: {server.state}\n" for server in app_context.gated_servers)
    try:
        await app_context.pool.ping()
    except DatabaseError as error:
        return PlainTextResponse(f"{error}\n{details}", status_code=503, headers={"Retry-After": "2"})
    return PlainTextResponse(f"ready\n{details}")
