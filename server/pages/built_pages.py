"""The built pages as `explorer/build.py` leaves them: HTML files, assets, and a record."""

import html
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "built"
RECORD = "built.json"
DOCUMENTS = "documents.json"
"""Manifest of the GraphQL documents that the pages send, as a map from SHA-256 to text."""
NOT_BUILT = "they were never built"
GRAPHIQL = "graphiql"
EMPTY_META = '<meta name="ratesgraph" content="{}">'
"""Element of each page that the server fills with its metadata."""


@dataclass(frozen=True, slots=True)
class BuiltPages:
    """The pages of this installation.

    Attributes:
        sources: HTML of each page by the name of its file without suffix.
        failure: Why there are no pages, or None.
        assets: Folder of the scripts, styles and fonts.
        documents: Manifest of the GraphQL documents that the pages send, or None without pages.
    """

    sources: dict[str, str] = field(default_factory=dict)
    failure: str | None = None
    assets: Path = FOLDER / "assets"
    documents: Path | None = None


def read_built_pages(folder: Path = FOLDER) -> BuiltPages:
    """Return the pages, or the reason why there are none."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        failure = record.get("failed")
        sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.html"))}
    except (OSError, ValueError):
        return BuiltPages(failure=NOT_BUILT)
    if failure is not None or not sources:
        return BuiltPages(failure=str(failure or NOT_BUILT))
    documents = folder / DOCUMENTS
    return BuiltPages(sources, assets=folder / "assets", documents=documents if documents.exists() else None)


def path_of(name: str) -> str:
    """Return the path of the page in the file of this name."""
    return {"index": "/", GRAPHIQL: "/graphql"}.get(name, f"/{name}")


def insert_metadata(source: str, metadata: dict[str, Any]) -> str:
    """Return the HTML of a page with the metadata as JSON in its `<meta>` element."""
    content = html.escape(json.dumps(metadata))
    return source.replace(EMPTY_META, f'<meta name="ratesgraph" content="{content}">')


def explain_failure(title: str, failure: str) -> str:
    """Return the HTML shown in place of a page that was not built."""
    return _explain(
        title,
        f"The server runs, and its API answers at <code>/graphql</code>. It has no pages: {html.escape(failure)}.",
        "Run <code>make pages</code> in the source folder and restart the server.",
    )


def explain_registered_only(title: str) -> str:
    """Return the HTML shown in place of GraphiQL where only registered documents are answered."""
    return _explain(
        title,
        "This server answers registered documents only (<code>RATESGRAPH_PERSISTED_ONLY</code>), so queries typed here"
        " would be refused.",
        'Set <code>RATESGRAPH_PERSISTED_ONLY=false</code> to explore the API. <a href="/">The other pages</a> work: their'
        " documents are registered.",
    )


def _explain(title: str, *paragraphs: str) -> str:
    title, text = html.escape(title), "\n".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1>\n{text}</body>\n</html>\n"
    )
