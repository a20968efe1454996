"""Application factory: routes and middleware. `server.lifespan` opens what requests need."""

from collections.abc import Awaitable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.execution.document_limits import QueryLimits
from graph.execution.streaming import StreamingSchema
from graph.schema import schema
from server.auth.access_control import WebSocketAdmissionMiddleware
from server.config.profiles import Profile, choose_profile
from server.config.settings import Settings
from server.downloads.series import series_route
from server.graphql_api.endpoint import GraphQLEndpoint
from server.graphql_api.persisted_documents import PersistedDocuments
from server.graphql_api.websocket_view import WebSocketGraphQLView
from server.http.body_limit import BodyLimits
from server.http.csrf import OriginPolicy
from server.http.errors import handle_http_exception, not_found
from server.lifespan import create_lifespan, report_startup_failure, request_limits
from server.observability.access_log import AccessLogMiddleware, TracingMiddleware
from server.pages.built_pages import read_built_pages
from server.pages.site import Site
from server.routes.health import health_routes
from server.routes.metrics import metrics_route
from server.routes.rejections import rejections_route


def create_app(settings: Settings, database_url: str, *, writes_are_open: bool) -> ASGIApp:
    """Return the application for a migrated database.

    `writes_are_open` gives same-host requests all scopes without a token, unless anonymous reads are disabled.
    """
    is_open = choose_profile(settings) is Profile.DEVELOPMENT
    origins = OriginPolicy(settings.cors_origins, settings.cors_headers)
    limited = create_schema(settings)
    built = read_built_pages()
    site = Site(built, settings, writes_are_open=writes_are_open)
    # A server that answers registered documents only must answer its own pages.
    documents = PersistedDocuments(settings.documents_dir, built.documents, persisted_only=settings.persisted_only)
    endpoint = _create_endpoint(settings, limited, origins, documents, site.graphiql)
    router = RouterWithoutErrorMiddleware(
        routes=[
            Route("/graphql", endpoint),
            rejections_route(),
            series_route(limited, reads_are_open=settings.anonymous_reads),
            *health_routes(),
            metrics_route(settings.metrics_token, is_open=is_open),
            *site.routes,
        ],
        lifespan=create_lifespan(settings, database_url, writes_are_open=writes_are_open),
        exception_handlers={HTTPException: handle_http_exception},
    )
    app = AccessLogMiddleware(
        origins.wrap_with_cors(FastRoute(router, "/graphql", endpoint)), slow_seconds=settings.slow_seconds
    )
    return TracingMiddleware(app) if settings.traces else app


def create_schema(settings: Settings) -> StreamingSchema:
    """Return the schema with the limits of the settings."""
    is_open = choose_profile(settings) is Profile.DEVELOPMENT
    return schema.with_limits(_query_limits(settings), request_limits(settings), suggest=is_open)


def _create_endpoint(
    settings: Settings,
    limited: StreamingSchema,
    origins: OriginPolicy,
    documents: PersistedDocuments,
    graphiql: ASGIApp,
) -> GraphQLEndpoint:
    """Return the endpoint `/graphql` for HTTP and WebSockets."""
    return GraphQLEndpoint(
        limited,
        graphiql,
        WebSocketAdmissionMiddleware(
            WebSocketGraphQLView(limited, documents, origins, settings.max_websocket_operations)
        ),
        documents,
        origins,
        max_age=settings.max_age,
        body_limits=BodyLimits(settings.max_query_bytes, settings.max_body_bytes, settings.max_upload_bytes),
        reads_are_open=settings.anonymous_reads,
    )


def _query_limits(settings: Settings) -> QueryLimits:
    """Return the limits that a GraphQL document is held to."""
    return QueryLimits(
        settings.max_document_length,
        settings.max_tokens,
        settings.max_depth,
        settings.max_fields,
        settings.max_aliases,
        settings.max_directives,
        settings.max_cost,
        settings.max_errors,
        settings.max_name_length,
        settings.max_response_bytes,
    )


class RouterWithoutErrorMiddleware(Starlette):
    """Starlette without its handler of unexpected errors.

    The outermost middleware handles them, once, and responds in JSON.
    """

    def build_middleware_stack(self) -> ASGIApp:
        """Return the router with handlers for expected exceptions only."""
        return ExceptionMiddleware(self.router, handlers=self.exception_handlers)


class FastRoute:
    """Fast path to one route, past the router and its exception middleware.

    For a cached response they would double the cost.
    """

    def __init__(self, router: ASGIApp, path: str, route: ASGIApp) -> None:
        self._router, self._path, self._route = router, path, route

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request to the fast route or to the router.

        The router has no other route for WebSockets.
        """
        if scope["type"] != "lifespan" and scope["path"] == self._path:
            return self._route(scope, receive, send)
        if scope["type"] == "websocket":
            return not_found().to_response()(scope, receive, send)
        if scope["type"] == "lifespan":
            send = report_startup_failure(send)
        return self._router(scope, receive, send)


def create_app_from_environment() -> ASGIApp:
    """Return the application, configured by `ratesgraph serve` through the environment."""
    return _create_from_environment(writes_are_open=False)


def create_open_app_from_environment() -> ASGIApp:
    """Return the same application with open writes.

    No setting enables them, so that no environment variable can.
    """
    return _create_from_environment(writes_are_open=True)


def _create_from_environment(*, writes_are_open: bool) -> ASGIApp:
    settings = Settings()
    if settings.database_url is None:
        raise RuntimeError("DATABASE_URL is not set: start the server with `ratesgraph serve`")
    return create_app(settings, settings.database_url, writes_are_open=writes_are_open)
