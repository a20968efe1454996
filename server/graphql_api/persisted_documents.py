"""Persisted documents: registered ones, and automatic persisted queries (APQ).

With APQ a client sends only the SHA-256 hash of a document. It sends the text as well if the server does not know the hash
(https://www.apollographql.com/docs/apollo-server/performance/apq). Clients name registered documents in the same way, or by
`documentId`.
"""

import hashlib
from pathlib import Path

from cachetools import LRUCache

from server.graphql_api.registered_documents import RegisteredDocuments
from server.http.errors import HttpError
from server.http.request_params import Parameters
from telemetry.request_record import record_registered

MAX_TOTAL_CHARS = 1_000_000
"""Maximum total length, in characters, of all automatically persisted documents.

The least recently used documents are evicted first.
"""
MAX_DOCUMENT_CHARS = MAX_TOTAL_CHARS // 10
ONLY_REGISTERED = (
    "Only registered documents are allowed; send the text of one, its `documentId` or its `persistedQuery.sha256Hash`."
)


class PersistedDocuments:
    """Store of documents by ID or hash.

    With `persisted_only`, only registered documents are accepted.
    """

    def __init__(self, *paths: Path | None, persisted_only: bool) -> None:
        """Read the registered documents of folders and manifests. Raise UnreadableDocuments."""
        self._registered = RegisteredDocuments(*paths)
        self._persisted_only = persisted_only
        self._automatic: LRUCache[str, str] = LRUCache(MAX_TOTAL_CHARS, getsizeof=len)

    def resolve_document(self, request: Parameters) -> str:
        """Return the document that the request sends or refers to.

        Raise HttpError with a different code for each kind of failure.
        """
        if request.document_id is not None:
            return self._resolve_registered(request.document_id, "documentId")
        persisted = request.extensions.get("persistedQuery")
        if persisted is not None:
            return self._resolve_hash(request.query, _sha256_hash(persisted))
        if self._persisted_only:
            return self._resolve_text(request.query)
        if not request.query:
            raise HttpError("BAD_PARAMETER", "Missing `query`.")
        return request.query

    def _resolve_registered(self, id_: str, parameter: str) -> str:
        text = self._registered.find_by_id(id_)
        if text is None:
            raise HttpError("DOCUMENT_NOT_FOUND", f"No document is registered under this {parameter}.")
        record_registered()
        return text

    def _resolve_text(self, text: str | None) -> str:
        """Return the registered document with this text. Raise HttpError (DOCUMENT_REQUIRED)."""
        document = None if text is None else self._registered.find_by_text(text)
        if document is None:
            raise HttpError("DOCUMENT_REQUIRED", ONLY_REGISTERED)
        record_registered()
        return document

    def _resolve_hash(self, text: str | None, digest: str) -> str:
        registered = self._registered.find_by_id(digest)
        if text is None and (registered is not None or self._persisted_only):
            return self._resolve_registered(digest, "sha256Hash")
        if registered is not None and registered == self._registered.find_by_text(text or ""):
            # The ID in a manifest need not be the SHA-256 of the text.
            record_registered()
            return registered
        if text is None:
            cached = self._automatic.get(digest)
            if cached is None:
                # APQ clients compare the message with exactly this text.
                raise HttpError("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", status=200)
            return cached
        if hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() != digest:
            raise HttpError("PERSISTED_QUERY_MISMATCH", "sha256Hash does not match the query.")
        if self._persisted_only:
            return self._resolve_text(text)
        if digest not in self._automatic and len(text) <= MAX_DOCUMENT_CHARS:
            self._automatic[digest] = text
        return text


def _sha256_hash(persisted: object) -> str:
    """Return the hash in `extensions.persistedQuery`. Raise HttpError (BAD_PARAMETER)."""
    match persisted:
        case {"version": 1, "sha256Hash": str(digest)}:
            return digest
    raise HttpError("BAD_PARAMETER", "extensions.persistedQuery must be {version: 1, sha256Hash}.")
