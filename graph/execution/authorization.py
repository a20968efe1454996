"""Who may do what. Every field of the root types declares the scope that it needs; `tests/architecture` refuses one without.

What an operation needs is found once per document, and asked for before anything of it is executed: so a refusal can be told
by HTTP's own status, an operation does all that it may or nothing, and a question costs no more than comparing two small sets.
What belongs to somebody, and that is seen by its owner alone, is the business of `resolvers`.
"""

from collections.abc import Collection

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode
from strawberry.schema.schema_converter import GraphQLCoreConverter

from resolvers.caller import AuthScope, Caller
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from telemetry.request_record import record_code

SCOPE_METADATA_KEY = "scope"
UPLOAD_SCOPES = frozenset({AuthScope.UPLOAD})
"""What everybody needs who has to do with batches."""


def may_introspect(context: RequestContext) -> bool:
    """Return whether the caller may learn the schema: from itself (`__schema`, `__type`) and in GraphiQL."""
    return context.app.schema_is_open or bool(context.caller.name)


def requires(scope: AuthScope) -> dict[str, AuthScope]:
    """Return the metadata of a field that is only for callers with the scope."""
    return {SCOPE_METADATA_KEY: scope}


class PermissionDenied(Exception):
    """A caller may not do what its operation asks for. It has a `code`, and the `scopes` that would do."""

    def __init__(self, caller: Caller, scopes: Collection[AuthScope]) -> None:
        self.code = "FORBIDDEN" if caller.name else "UNAUTHENTICATED"
        self.scopes = sorted(scopes)
        words = f"a token with the scope {' and '.join(self.scopes)}"
        message = f"This token is not enough: {words} is needed." if caller.name else f"This needs {words}."
        super().__init__(message)
        record_code(self.code)

    def as_graphql_error(self) -> GraphQLError:
        """Return the refusal as an error of an operation that was not executed."""
        return GraphQLError(str(self), extensions={"code": self.code})


def required_scopes(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fields: Collection[str]
) -> frozenset[AuthScope]:
    """Return the scopes that an operation with these fields of its root type needs. What declares none is for admins."""
    root = schema.get_root_type(operation.operation)
    needed = set()
    for name in fields:
        if root is not None and not name.startswith("__"):
            definition = root.fields[name].extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
            needed.add(definition.metadata.get(SCOPE_METADATA_KEY, AuthScope.ADMIN))
    return frozenset(needed)


def require_scopes(caller: Caller, needed: frozenset[AuthScope]) -> None:
    """Raise NotAdmitted for a caller that lacks one of the scopes."""
    if not needed <= caller.scopes:
        raise PermissionDenied(caller, needed - caller.scopes)


def check_dry_run(caller: Caller) -> None:
    """Raise RequestError (FORBIDDEN) for a caller who may upload but not read: a dry run tells averages."""
    if not caller.can_read:
        raise RequestError("FORBIDDEN", "A dry run tells averages: it needs a token with the scope read too.")
