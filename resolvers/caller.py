"""Caller of a request and its permissions. The server authenticates callers."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


class AuthScope(StrEnum):
    """Permission of a caller."""

    READ = "read"
    UPLOAD = "upload"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """Sender of requests. A caller without a name is anonymous and owns nothing.

    `name` identifies the owner of batches and idempotency keys. A caller with the scope `admin` may access all of them. A
    caller is cached as long as its token is in use, so its derived attributes are computed once.
    """

    name: str = ""
    scopes: frozenset[AuthScope] = field(default_factory=frozenset)

    @cached_property
    def label(self) -> str:
        """Name of the caller in the audit trail."""
        return self.name or "anyone"

    @cached_property
    def can_read(self) -> bool:
        """True if the caller may read prices and locations."""
        return AuthScope.READ in self.scopes

    @cached_property
    def is_admin(self) -> bool:
        """True if the caller has all permissions."""
        return AuthScope.ADMIN in self.scopes

    def can_see(self, uploader: str) -> bool:
        """Return whether the caller may see the batches of the uploader."""
        return self.is_admin or self.name == uploader != ""


def describe_denial(caller: Caller, missing: Collection[AuthScope]) -> tuple[str, str]:
    """Return the code and the message of a refusal because of missing scopes."""
    noun = "scope" if len(missing) == 1 else "scopes"
    scopes = f"{noun} {' and '.join(f'`{scope}`' for scope in sorted(missing))}"
    if caller.name:
        return "FORBIDDEN", f"This token lacks the required {scopes}."
    return "UNAUTHENTICATED", f"A token with {scopes} is required."


def caller_with_scopes(name: str, scopes: Iterable[str], *, reads_are_open: bool) -> Caller:
    """Return a caller with the scopes of these names; unknown names are ignored.

    `admin` includes all scopes. `reads_are_open` adds `read`.
    """
    granted = {scope for scope in AuthScope if scope in scopes}
    if reads_are_open:
        granted.add(AuthScope.READ)
    return Caller(name, frozenset(AuthScope) if AuthScope.ADMIN in granted else frozenset(granted))
