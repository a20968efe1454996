"""Usage errors of the command line in plain words."""

import typer
from typer.core import TyperGroup


class PlainGroup(TyperGroup):
    """Group of commands whose usage errors omit the words that pydantic puts before a message."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command; its options are parsed here too."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise
