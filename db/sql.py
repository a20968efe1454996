"""Loader of the SQL files: one file per subject, one statement per section.

The files are loaded once, at import. A section starts with `-- name --` and a comment that says what one row means and which
index it relies on. The repository function that runs a section has its name.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "sql"
NAMES: dict[bytes, str] = {}
"""Name of each statement by its text, for example `tokens.find_tokens`: SQL file and section."""
HEADER = re.compile(r"^-- (?P<name>[a-z][a-z0-9_]*) --$")


class SqlFileError(Exception):
    """Malformed SQL file; the message names file and line."""


def load_sections(subject: str) -> dict[str, bytes]:
    """Return the statements of `sql/<subject>.sql` by section name.

    Raise SqlFileError when the file is malformed.
    """
    path = FOLDER / f"{subject}.sql"
    sections: dict[str, list[str]] = {}
    name = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if header := HEADER.match(line):
            name = header["name"]
            if name in sections:
                raise SqlFileError(f"{path.name}:{number}: duplicate section {name}")
            sections[name] = []
        elif name is not None:
            sections[name].append(line)
        elif line and not line.startswith("--"):
            raise SqlFileError(f"{path.name}:{number}: statement before the first `-- name --` header")
    for name, lines in sections.items():
        if not lines or not lines[0].startswith("-- "):
            raise SqlFileError(f"{path.name}: section {name} has no comment under its header")
    # psycopg accepts a statement that is not a string literal only as bytes or sql.SQL.
    statements = {name: "\n".join(lines).strip().encode() for name, lines in sections.items()}
    NAMES.update((statement, f"{subject}.{name}") for name, statement in statements.items())
    return statements
