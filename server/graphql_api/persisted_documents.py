"""Documents that a request names instead of sending them: registered ones from a folder, and automatic persisted queries.

Automatic persisted queries: a client sends the SHA-256 of a text alone, and the text with it when the server does not know it
(https://www.apollographql.com/docs/apollo-server/performance/apq).
"""

import hashlib
from collections import OrderedDict
from pathlib import Path

from server.http.errors import HttpError
from server.http.request_params import Parameters
from telemetry.request_record import record_registered

MAX_TOTAL_CHARS = 1_000_000
"""Characters of all automatically persisted texts together; the oldest used go first."""


class PersistedDocuments:
    """Texts by their names. `persisted_only` answers nothing else."""

    def __init__(self, folder: Path | None, *, persisted_only: bool) -> None:
        self._registered = _read_folder(folder) if folder else {}
        self._persisted_only = persisted_only
        self._automatic: OrderedDict[str, str] = OrderedDict()
        self._size = 0

    def resolve_document(self, request: Parameters) -> str:
        """Return the document that the request means. Raise BadRequest with a code of its own for each way to fail."""
        if request.document_id is not None:
            text = self._registered.get(request.document_id)
            if text is None:
                raise HttpError("DOCUMENT_NOT_FOUND", "No document is registered under this documentId.")
            record_registered()
            return text
        if self._persisted_only:
            raise HttpError("DOCUMENT_REQUIRED", "This server only answers registered documents: send a documentId.")
        persisted = request.extensions.get("persistedQuery")
        if persisted is not None:
            return self._find_automatic(request.query, persisted)
        if not request.query:
            raise HttpError("BAD_PARAMETER", "The request has no query.")
        return request.query

    def _find_automatic(self, text: str | None, persisted: object) -> str:
        match persisted:
            case {"version": 1, "sha256Hash": str(digest)}:
                pass
            case _:
                raise HttpError("BAD_PARAMETER", "extensions.persistedQuery is not {version: 1, sha256Hash}.")
        if text is None:
            known = self._automatic.get(digest)
            if known is None:
                # The words are those that clients look for.
                raise HttpError("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", status=200)
            self._automatic.move_to_end(digest)
            return known
        if hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() != digest:
            raise HttpError("PERSISTED_QUERY_MISMATCH", "sha256Hash is not that of the query.")
        return self._cache(digest, text)

    def _cache(self, digest: str, text: str) -> str:
        if digest not in self._automatic and len(text) <= MAX_TOTAL_CHARS // 10:
            self._automatic[digest] = text
            self._size += len(text)
            while self._size > MAX_TOTAL_CHARS:
                _, gone = self._automatic.popitem(last=False)
                self._size -= len(gone)
        return text


def _read_folder(folder: Path) -> dict[str, str]:
    """Return the documents of the folder: by the name of the file, and by the digest that clients derive from the text."""
    documents = {}
    for file in sorted(folder.glob("*.graphql")):
        text = file.read_text(encoding="utf-8")
        documents[file.stem] = documents[f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"] = text
    return documents
