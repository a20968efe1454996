"""Who may do what. Every mutation names its permission; `tests/house` walks the schema and refuses one without."""

from typing import Any

import strawberry
from strawberry.permission import BasePermission

from resolvers.context import RequestContext
from resolvers.errors import RequestError


def may_introspect(context: RequestContext) -> bool:
    """Return whether the caller may learn the schema: from itself (`__schema`, `__type`) and in GraphiQL."""
    return context.schema_is_open


class MayWrite(BasePermission):
    """Admits callers that may change prices."""

    message = "Writing is not open on this server."

    def has_permission(self, source: Any, info: strawberry.Info[RequestContext, None], **_kwargs: Any) -> bool:  # noqa: ANN401, ARG002
        """Return whether the request's caller may write."""
        return info.context.may_write

    def on_unauthorized(self) -> None:
        """Refuse with a code, as every error has one."""
        raise RequestError("FORBIDDEN", self.message)
