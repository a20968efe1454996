"""Who asks, and what that one may do. How a caller is recognised is the server's business."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


class AuthScope(StrEnum):
    """What a caller may do."""

    READ = "read"
    UPLOAD = "upload"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """Whoever sends a request. Without a name it is anyone: then nothing is its own.

    `name` is also what its batches and idempotency keys are known by. Whoever has the scope `admin` has all of them. A caller
    lives as long as its token is in use, so what every request asks of it is found out once.
    """

    name: str = ""
    scopes: frozenset[AuthScope] = field(default_factory=frozenset)

    @cached_property
    def label(self) -> str:
        """What the caller is called in the audit trail."""
        return self.name or "anyone"

    @cached_property
    def can_read(self) -> bool:
        """Whether the caller may know prices and locations."""
        return AuthScope.READ in self.scopes

    @cached_property
    def is_admin(self) -> bool:
        """Whether the caller may do and see everything."""
        return AuthScope.ADMIN in self.scopes

    def can_see(self, uploader: str) -> bool:
        """Return whether the caller may see what was uploaded under the name."""
        return self.is_admin or self.name == uploader != ""


def caller_with_scopes(name: str, scopes: Iterable[str], *, reads_are_open: bool) -> Caller:
    """Return a caller with the scopes of these names, as far as there are such, and with all that they bring along."""
    found = {scope for scope in AuthScope if scope in scopes}
    if reads_are_open:
        found.add(AuthScope.READ)
    return Caller(name, frozenset(AuthScope) if AuthScope.ADMIN in found else frozenset(found))
