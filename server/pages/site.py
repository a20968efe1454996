"""The pages of a server: their metadata and their routes."""

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from server.config.profiles import Profile, choose_profile
from server.config.settings import Settings
from server.pages.assets import assets_route
from server.pages.built_pages import GRAPHIQL, BuiltPages, explain_failure, insert_metadata, path_of
from server.pages.page import GRAPHIQL_POLICY, POLICY, Page


class Site:
    """Routes of the pages and their assets.

    Attributes:
        routes: The pages of both profiles, with their assets.
        graphiql: GraphiQL, which the endpoint `/graphql` serves to browsers in the profile `development`.
    """

    def __init__(self, built: BuiltPages, settings: Settings, *, writes_are_open: bool) -> None:
        is_open = choose_profile(settings) is Profile.DEVELOPMENT
        names = [name for name in built.sources if name != GRAPHIQL or is_open]
        metadata = {
            "profile": choose_profile(settings),
            "reads": "open" if settings.anonymous_reads else "token",
            "writes": "open" if writes_are_open and settings.anonymous_reads else "token",
            "pages": [path_of(name) for name in names],
        }
        sources = {name: insert_metadata(source, metadata) for name, source in built.sources.items()}
        if built.failure is not None:
            sources = {
                "index": explain_failure("Ratesgraph", built.failure),
                GRAPHIQL: explain_failure("GraphiQL · Ratesgraph", built.failure),
            }
        self.graphiql: ASGIApp = Page(sources.pop(GRAPHIQL), GRAPHIQL_POLICY, vary="Accept")
        self.routes: list[BaseRoute] = [
            *(Route(path_of(name), Page(source, POLICY).respond, methods=["GET"]) for name, source in sources.items()),
            assets_route(built.assets),
        ]
