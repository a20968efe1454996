"""Registered documents, read from a folder of texts or from manifests of GraphQL tools.

A manifest is JSON in one of two forms:

- Apollo's (`"format": "apollo-persisted-query-manifest"`), with the operations as a list or by ID
  (https://www.apollographql.com/docs/graphos/operations/persisted-queries);
- a map from ID to text, as Relay's compiler and the client preset of GraphQL Code Generator write it
  (https://relay.dev/docs/guides/persisted-queries/).
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

APOLLO_FORMAT = "apollo-persisted-query-manifest"
TEXT_SUFFIXES = {".graphql", ".gql"}
MANIFEST_SUFFIX = ".json"
BYTE_ORDER_MARK = "\ufeff"


class UnreadableDocuments(Exception):
    """A file of registered documents is unreadable or contradicts another one.

    The message names the file.
    """


class RegisteredDocuments:
    """Registered documents by ID, hash and text.

    A hash is the SHA-256 of the text. Editors and version control change line endings. So the hash of the text with LF or CRLF
    line endings, with or without the final newline, refers to the same document.
    """

    def __init__(self, *paths: Path | None) -> None:
        """Read folders and manifests; None has no documents. Raise UnreadableDocuments."""
        self._by_id: dict[str, str] = {}
        self._by_text: dict[str, str] = {}
        for path in paths:
            for file in _files(path):
                for id_, text in _read_file(file):
                    self._register(file, id_, text)

    def __len__(self) -> int:
        """Return the number of different documents."""
        return len(self._by_text)

    def find_by_id(self, id_: str) -> str | None:
        """Return the document with this ID or hash, or None."""
        return self._by_id.get(id_)

    def find_by_text(self, text: str) -> str | None:
        """Return the registered document with this text, whatever its line endings, or None."""
        return self._by_text.get(_normalize(text))

    def _register(self, file: Path, id_: str, text: str) -> None:
        normal = _normalize(text)
        document = self._by_text.setdefault(normal, normal)
        if self._by_id.setdefault(id_, document) != document:
            raise UnreadableDocuments(f"{file}: the ID {id_} is registered twice, with different documents.")
        for variant in {text, normal, *_with_line_endings(normal)}:
            digest = hashlib.sha256(variant.encode()).hexdigest()
            self._by_id.setdefault(digest, document)
            self._by_id.setdefault(f"sha256:{digest}", document)


def _normalize(text: str) -> str:
    """Return the text without a byte order mark, with LF, and without trailing newlines."""
    return text.removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n").rstrip("\n")


def _with_line_endings(normal: str) -> Iterator[str]:
    """Yield the text with LF and with CRLF line endings.

    Each comes with and without the final newline and a byte order mark.
    """
    for ended in (normal, f"{normal}\n"):
        for text in (ended, ended.replace("\n", "\r\n")):
            yield from (text, BYTE_ORDER_MARK + text)


def _files(path: Path | None) -> Iterable[Path]:
    if path is None:
        return ()
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise UnreadableDocuments(f"{path}: no such file or folder.")
    return sorted(file for file in path.iterdir() if file.suffix in TEXT_SUFFIXES | {MANIFEST_SUFFIX})


def _read_file(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the ID and text of each document. Raise UnreadableDocuments."""
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableDocuments(f"{file}: not a readable file in UTF-8.") from error
    if file.suffix != MANIFEST_SUFFIX:
        yield file.stem, text
        return
    try:
        manifest = orjson.loads(text.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise UnreadableDocuments(f"{file}: not valid JSON.") from error
    yield from _read_manifest(file, manifest)


def _read_manifest(file: Path, manifest: object) -> Iterator[tuple[str, str]]:
    match manifest:
        case {"format": str(name), "operations": operations} if name == APOLLO_FORMAT:
            if isinstance(operations, dict):
                operations = [{"id": id_, **entry} for id_, entry in operations.items() if isinstance(entry, dict)]
            entries = operations if isinstance(operations, list) else [None]
        case dict():
            entries = [{"id": id_, "body": text} for id_, text in manifest.items()]
        case _:
            entries = [None]
    for entry in entries:
        match entry:
            case {"id": str(id_), "body": str(text)}:
                yield id_, text
            case _:
                message = (
                    f"expected {APOLLO_FORMAT}, or a map from ID to text as Relay and GraphQL Code Generator write it."
                )
                raise UnreadableDocuments(f"{file}: not a manifest of documents; {message}")
