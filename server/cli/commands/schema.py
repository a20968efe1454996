"""`ratesgraph schema`: the GraphQL schema as SDL."""

import sys
from pathlib import Path

from graph.schema import schema as graphql_schema
from server.cli.console import out, print_error


def schema(*, check: bool) -> bool:
    """Print the schema.

    With `check`, instead return whether `schema.graphql` in the current directory equals it.
    """
    sdl = f"{graphql_schema.as_str()}\n"
    if not check:
        sys.stdout.write(sdl)
        return True
    file = Path("schema.graphql")
    if not file.exists():
        print_error("schema.graphql does not exist in this folder. Write it: ratesgraph schema > schema.graphql")
        return False
    if file.read_text(encoding="utf-8") != sdl:
        print_error("schema.graphql is out of date: run `make schema`.")
        return False
    out.print("schema.graphql is up to date.")
    return True
