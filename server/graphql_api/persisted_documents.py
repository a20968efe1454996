"""Persisted documents: registered ones from a folder, and automatic persisted queries (APQ).

With APQ a client sends only the SHA-256 hash of a document. It sends the text as well if the server does not know the hash
(https://www.apollographql.com/docs/apollo-server/performance/apq).
"""

import hashlib
from pathlib import Path

from cachetools import LRUCache

from server.http.errors import HttpError
from server.http.request_params import Parameters
from telemetry.request_record import record_registered

MAX_TOTAL_CHARS = 1_000_000
"""Maximum total length, in characters, of all automatically persisted documents.

The least recently used documents are evicted first.
"""
MAX_DOCUMENT_CHARS = MAX_TOTAL_CHARS // 10


class PersistedDocuments:
    """Store of documents by ID or hash.

    With `persisted_only`, only the documents in the folder are accepted.
    """

    def __init__(self, folder: Path | None, *, persisted_only: bool) -> None:
        self._registered = _read_folder(folder) if folder else {}
        self._persisted_only = persisted_only
        self._automatic: LRUCache[str, str] = LRUCache(MAX_TOTAL_CHARS, getsizeof=len)

    def resolve_document(self, request: Parameters) -> str:
        """Return the document that the request sends or refers to.

        Raise HttpError with a different code for each kind of failure.
        """
        if request.document_id is not None:
            text = self._registered.get(request.document_id)
            if text is None:
                raise HttpError("DOCUMENT_NOT_FOUND", "No document is registered under this documentId.")
            record_registered()
            return text
        if self._persisted_only:
            raise HttpError("DOCUMENT_REQUIRED", "Only persisted documents are allowed; send a `documentId`.")
        persisted = request.extensions.get("persistedQuery")
        if persisted is not None:
            return self._resolve_automatic(request.query, persisted)
        if not request.query:
            raise HttpError("BAD_PARAMETER", "Missing `query`.")
        return request.query

    def _resolve_automatic(self, text: str | None, persisted: object) -> str:
        match persisted:
            case {"version": 1, "sha256Hash": str(digest)}:
                pass
            case _:
                raise HttpError("BAD_PARAMETER", "extensions.persistedQuery must be {version: 1, sha256Hash}.")
        if text is None:
            cached = self._automatic.get(digest)
            if cached is None:
                # APQ clients compare the message with exactly this text.
                raise HttpError("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", status=200)
            return cached
        if hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() != digest:
            raise HttpError("PERSISTED_QUERY_MISMATCH", "sha256Hash does not match the query.")
        if digest not in self._automatic and len(text) <= MAX_DOCUMENT_CHARS:
            self._automatic[digest] = text
        return text


def _read_folder(folder: Path) -> dict[str, str]:
    """Return the folder's documents, keyed by file name and by `sha256:` plus the text's hash."""
    documents = {}
    for file in sorted(folder.glob("*.graphql")):
        text = file.read_text(encoding="utf-8")
        documents[file.stem] = documents[f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"] = text
    return documents
