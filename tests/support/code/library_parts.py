"""Owners and parts of libraries that the product relies on although they are not public."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Owner:
    """Module, class or function (`module:name`) of a library whose parts the product uses.

    `methods` maps each method to its parameters without `self`; the empty name is the owner itself.
    """

    library: str
    path: str
    needed_by: str
    attributes: tuple[str, ...] = ()
    methods: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a library: an attribute, or a callable with its parameters."""

    owner: Owner
    name: str
    parameters: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """Return the library, the part and the file that needs it."""
        return f"{self.owner.library}: {self.owner.path} {self.name} for {self.owner.needed_by}"
