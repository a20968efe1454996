"""Requests to `/graphql` that GraphiQL answers: those of browsers."""

from starlette.types import Scope

from graph.authorization import may_introspect
from resolvers.context import RequestContext
from server.graphql_api.response import ResponseWriter
from server.http.csrf import OriginPolicy
from server.http.errors import HttpError
from server.http.request_params import parse_query_string


def wants_page(scope: Scope, writer: ResponseWriter, origins: OriginPolicy) -> bool:
    """Return whether the response to a request that prefers HTML is GraphiQL.

    It is for an address opened in a browser, with or without a query.

    A caller that may not introspect gets the result of a query. Raise HttpError: NOT_FOUND if there is none,
    CROSS_SITE_REFUSED if a page of another site links to a query, because one click would then execute it.
    """
    if scope["method"] != "GET":
        return False
    parameters = parse_query_string(scope["query_string"])
    if parameters.document_id or parameters.extensions or (parameters.query and writer.accepted.names_format):
        return False
    if may_introspect(RequestContext(scope["state"]["app_context"], writer.caller)):
        if parameters.query:
            origins.check(writer.request)
        return True
    if parameters.query:
        return False
    raise HttpError("NOT_FOUND", "The page is disabled on this server; send GraphQL requests instead.", status=404)
