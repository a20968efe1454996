"""Automatically persisted documents: an LRU cache, bounded by its total characters."""

import hashlib

import pytest

from server.graphql_api.persisted_documents import MAX_DOCUMENT_CHARS, MAX_TOTAL_CHARS, PersistedDocuments
from server.http.errors import HttpError
from server.http.request_params import Parameters


def persisted(digest: str) -> dict[str, object]:
    """Return the extensions of a request that refers to the hash."""
    return {"persistedQuery": {"version": 1, "sha256Hash": digest}}


def register(documents: PersistedDocuments, text: str) -> str:
    """Send the document with its hash and return the hash."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert documents.resolve_document(Parameters(query=text, extensions=persisted(digest))) == text
    return digest


def is_known(documents: PersistedDocuments, digest: str) -> bool:
    """Return whether the hash alone resolves to a document."""
    try:
        documents.resolve_document(Parameters(extensions=persisted(digest)))
    except HttpError as error:
        if error.code != "PERSISTED_QUERY_NOT_FOUND":
            raise
        return False
    return True


@pytest.fixture
def documents() -> PersistedDocuments:
    """Return a document store without a folder of persisted documents."""
    return PersistedDocuments(None, persisted_only=False)


def test_persisted_documents_evicts_the_least_recently_used(documents: PersistedDocuments) -> None:
    count = MAX_TOTAL_CHARS // MAX_DOCUMENT_CHARS
    digests = [register(documents, f"{number:{MAX_DOCUMENT_CHARS}}") for number in range(count)]
    assert is_known(documents, digests[0])
    newest = register(documents, "x" * MAX_DOCUMENT_CHARS)
    assert [is_known(documents, digest) for digest in digests] == [True, False, *[True] * (count - 2)]
    assert is_known(documents, newest)


def test_persisted_documents_does_not_cache_a_document_of_excessive_length(documents: PersistedDocuments) -> None:
    assert not is_known(documents, register(documents, "x" * (MAX_DOCUMENT_CHARS + 1)))
