"""Registered documents: line endings, manifests of tools, and ways to refer to a document."""

import hashlib
import json
from pathlib import Path

import pytest

from server.cli.commands.serve import check_documents
from server.cli.console import CommandError
from server.config.settings import Settings
from server.graphql_api.persisted_documents import PersistedDocuments
from server.graphql_api.registered_documents import UnreadableDocuments
from server.http.errors import HttpError
from server.http.request_params import Parameters

TEXT = "query Ports {\n  locations(kind: PORT) {\n    totalCount\n  }\n}"
OTHER = 'query Name { location(key: "CNSGH") { name } }'


def sha256(text: str) -> str:
    """Return the SHA-256 of a text as clients send it."""
    return hashlib.sha256(text.encode()).hexdigest()


def by_hash(digest: str, text: str | None = None) -> Parameters:
    """Return a request with the hash of a document."""
    return Parameters(query=text, extensions={"persistedQuery": {"version": 1, "sha256Hash": digest}})


def error_code(documents: PersistedDocuments, request: Parameters) -> str:
    """Return the code with which a request is refused."""
    with pytest.raises(HttpError) as caught:
        documents.resolve_document(request)
    return caught.value.code


VARIANTS = {
    "no final newline": TEXT,
    "final newline": f"{TEXT}\n",
    "line endings of Windows": f"{TEXT}\n".replace("\n", "\r\n"),
    "byte order mark": f"\ufeff{TEXT}\n",
    "byte order mark and line endings of Windows": f"\ufeff{TEXT}\n".replace("\n", "\r\n"),
}


@pytest.mark.parametrize("persisted_only", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_registered_document_is_found_by_the_hash_of_its_text_with_any_line_ends(
    tmp_path: Path, variant: str, *, persisted_only: bool
) -> None:
    (tmp_path / "ports.graphql").write_bytes(VARIANTS[variant].encode())
    documents = PersistedDocuments(tmp_path, persisted_only=persisted_only)
    assert documents.resolve_document(Parameters(document_id="ports")) == TEXT
    for text in VARIANTS.values():
        digest = sha256(text)
        for request in (
            Parameters(document_id=digest),
            Parameters(document_id=f"sha256:{digest}"),
            by_hash(digest),
            by_hash(digest, text),
        ):
            assert documents.resolve_document(request) == TEXT
        assert documents.resolve_document(Parameters(query=text)) == (TEXT if persisted_only else text)


def test_registered_documents_refuse_everything_else_where_only_they_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "ports.graphql").write_text(TEXT)
    documents = PersistedDocuments(tmp_path, persisted_only=True)
    assert error_code(documents, Parameters(query=OTHER)) == "DOCUMENT_REQUIRED"
    assert error_code(documents, Parameters()) == "DOCUMENT_REQUIRED"
    assert error_code(documents, by_hash(sha256(OTHER))) == "DOCUMENT_NOT_FOUND"
    assert error_code(documents, by_hash(sha256(OTHER), OTHER)) == "DOCUMENT_REQUIRED"
    assert error_code(documents, by_hash(sha256(TEXT), OTHER)) == "PERSISTED_QUERY_MISMATCH"
    assert error_code(documents, by_hash(sha256(OTHER))) == "DOCUMENT_NOT_FOUND"


APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [
        {"id": sha256(TEXT), "name": "Ports", "type": "query", "body": TEXT},
        {"id": "own-id", "name": "Name", "type": "query", "body": OTHER},
    ],
}
APOLLO_MAP = {**APOLLO, "operations": {"own-id": {"name": "Name", "type": "query", "body": OTHER}}}
MD5 = hashlib.md5(OTHER.encode(), usedforsecurity=False).hexdigest()
SHA1 = hashlib.sha1(OTHER.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("manifest", "id_"),
    [
        (APOLLO, "own-id"),
        (APOLLO_MAP, "own-id"),
        ({MD5: OTHER, sha256(TEXT): TEXT}, MD5),
        ({SHA1: OTHER}, SHA1),
        ({f"sha256:{sha256(OTHER)}": OTHER}, f"sha256:{sha256(OTHER)}"),
    ],
)
def test_registered_documents_are_read_from_the_manifests_of_tools(tmp_path: Path, manifest: object, id_: str) -> None:
    file = tmp_path / "manifest.json"
    file.write_text("\ufeff" + json.dumps(manifest) + "\r\n", encoding="utf-8")
    (tmp_path / "ports.graphql").write_text(TEXT)
    (tmp_path / "README.md").write_text("not a document")
    for path in (tmp_path, file):
        documents = PersistedDocuments(path, persisted_only=True)
        for request in (
            Parameters(document_id=id_),
            by_hash(id_),
            by_hash(id_, OTHER),
            by_hash(sha256(OTHER)),
            by_hash(sha256(OTHER), OTHER),
            Parameters(query=f"{OTHER}\n"),
        ):
            assert documents.resolve_document(request) == OTHER


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"{"),
        ("a.json", b"[]"),
        ("a.json", b'{"Name": 5}'),
        ("a.json", b'{"format": "apollo-persisted-query-manifest", "operations": [{"id": "x"}]}'),
        ("a.json", b'{"format": "apollo-persisted-query-manifest", "operations": 5}'),
        ("a.json", b'{"ports": "{ __typename }"}'),
        ("a.graphql", b"\xff\xfe"),
    ],
)
def test_unreadable_registered_documents_prevent_the_start(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / "ports.graphql").write_text(TEXT)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableDocuments) as caught:
        PersistedDocuments(tmp_path, persisted_only=False)
    assert tmp_path.as_posix() in str(caught.value)
    with pytest.raises(CommandError, match="RATESGRAPH_DOCUMENTS_DIR: "):
        check_documents(Settings(documents_dir=tmp_path))


def test_missing_registered_documents_prevent_the_start(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such file or folder"):
        check_documents(Settings(documents_dir=tmp_path / "missing"))
    with pytest.raises(CommandError, match=r"registers no document, .* add documents, or set it to false\."):
        check_documents(Settings(documents_dir=tmp_path).model_copy(update={"persisted_only": True}))
    check_documents(Settings(documents_dir=tmp_path))
