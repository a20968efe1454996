"""The pages of a server: their metadata and their routes."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.config.profiles import Profile, choose_profile
from server.config.settings import Settings
from server.pages.assets import assets_route
from server.pages.built_pages import (
    GRAPHIQL,
    BuiltPages,
    explain_failure,
    explain_registered_only,
    insert_metadata,
    path_of,
)
from server.pages.demo_data import DemoDataFlag
from server.pages.page import GRAPHIQL_POLICY, POLICY, Page

GRAPHIQL_TITLE = "GraphiQL · Ratesgraph"


class SitePage(Page):
    """Page that knows whether the server has demo data."""

    def __init__(
        self, source: str, metadata: dict[str, Any], policy: dict[str, str], flag: DemoDataFlag, *, vary: str | None
    ) -> None:
        super().__init__(insert_metadata(source, metadata | {"hasDemoData": False}), policy, vary=vary)
        self._with_demo = Page(insert_metadata(source, metadata | {"hasDemoData": True}), policy, vary=vary)
        self._flag = flag

    async def respond(self, request: Request) -> Response:
        """Return the page, or status 304 to a browser that has it."""
        if await self._flag.read(request.state.app_context):
            return await self._with_demo.respond(request)
        return await super().respond(request)


class Site:
    """Routes of the pages and their assets.

    Attributes:
        routes: The pages of both profiles, with their assets.
        graphiql: GraphiQL, which the endpoint `/graphql` serves to browsers in the profile `development`.
    """

    def __init__(self, built: BuiltPages, settings: Settings, *, writes_are_open: bool) -> None:
        # GraphiQL sends documents that are registered nowhere.
        has_graphiql = choose_profile(settings) is Profile.DEVELOPMENT and not settings.persisted_only
        metadata = {
            "profile": choose_profile(settings),
            "reads": "open" if settings.anonymous_reads else "token",
            "writes": "open" if writes_are_open and settings.anonymous_reads else "token",
            "documents": "registered" if settings.persisted_only else "any",
            "pages": [path_of(name) for name in built.sources if name != GRAPHIQL or has_graphiql],
        }
        flag, pages = DemoDataFlag(), dict[str, Page]()
        for name, source in built.sources.items():
            policy, vary = (GRAPHIQL_POLICY, "Accept") if name == GRAPHIQL else (POLICY, None)
            pages[name] = SitePage(source, metadata, policy, flag, vary=vary)
        if built.failure is not None:
            pages["index"] = Page(explain_failure("Ratesgraph", built.failure), POLICY)
            pages[GRAPHIQL] = Page(explain_failure(GRAPHIQL_TITLE, built.failure), POLICY, vary="Accept")
        elif settings.persisted_only:
            pages[GRAPHIQL] = Page(explain_registered_only(GRAPHIQL_TITLE), POLICY, vary="Accept")
        self.graphiql = pages.pop(GRAPHIQL)
        self.routes: list[BaseRoute] = [
            *(Route(path_of(name), page.respond, methods=["GET"]) for name, page in pages.items()),
            assets_route(built.assets),
        ]
