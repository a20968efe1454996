"""Authorization by scope: every field of the root types declares the scope that it requires.

`tests/architecture` rejects a field without a scope. The scopes of an operation are determined once per document and checked
before execution. So a refusal has its own HTTP status, an operation runs completely or not at all, and a check only compares
two small sets. Ownership, which restricts data to its uploader, is enforced in `resolvers`.
"""

from collections.abc import Collection

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode
from strawberry.schema.schema_converter import GraphQLCoreConverter

from resolvers.caller import AuthScope, Caller, describe_denial
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from telemetry.request_record import record_code

SCOPE_METADATA_KEY = "scope"
UPLOAD_SCOPES = frozenset({AuthScope.UPLOAD})
"""The scopes that batch operations require."""


def may_introspect(context: RequestContext) -> bool:
    """Return whether the caller may read the schema, by introspection or in GraphiQL."""
    return context.app.schema_is_open or bool(context.caller.name)


def requires(scope: AuthScope | None) -> dict[str, AuthScope | None]:
    """Return the metadata of a field that requires the scope; None: every caller may select it."""
    return {SCOPE_METADATA_KEY: scope}


class PermissionDenied(Exception):
    """Refusal of an operation whose caller lacks scopes: its `code`, and the missing `scopes`."""

    def __init__(self, caller: Caller, scopes: Collection[AuthScope]) -> None:
        self.scopes = sorted(scopes)
        self.code, message = describe_denial(caller, self.scopes)
        super().__init__(message)
        record_code(self.code)

    def as_graphql_error(self) -> GraphQLError:
        """Return the refusal as a GraphQL error without a path: the operation was not executed."""
        return GraphQLError(str(self), extensions={"code": self.code})


def required_scopes(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fields: Collection[str]
) -> frozenset[AuthScope]:
    """Return the scopes that the root fields of an operation require.

    A field that declares no scope requires `admin`.
    """
    root = schema.get_root_type(operation.operation)
    scopes = set()
    for name in fields:
        if root is not None and not name.startswith("__"):
            definition = root.fields[name].extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
            scopes.add(definition.metadata.get(SCOPE_METADATA_KEY, AuthScope.ADMIN))
    return frozenset(scopes - {None})


def require_scopes(caller: Caller, required: frozenset[AuthScope]) -> None:
    """Raise PermissionDenied if the caller lacks one of the scopes."""
    if not required <= caller.scopes:
        raise PermissionDenied(caller, required - caller.scopes)


def check_dry_run(caller: Caller) -> None:
    """Raise RequestError (FORBIDDEN) if the caller may not read: a dry run reveals averages."""
    if not caller.can_read:
        raise RequestError("FORBIDDEN", "Dry runs reveal averages and therefore also require the `read` scope.")
