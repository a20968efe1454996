"""Storage of archived files: a folder (file://) or a bucket (s3://).

A written file is durable when `write` returns. No function changes a file: names contain the SHA-256 of the content.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes, urlsplit

from domain.paths import escape, printable
from ingest.errors import ArchiveError

FORMS = "file:///folder or s3://bucket/folder, where a bucket has 3 to 63 characters of a-z, 0-9, `.`, `_` and `-`"
FILE_URL = re.compile(r"file://(/(?:(?!%00)[^/?#\x00-\x1f\x7f\ud800-\udfff])+)+/?")
"""Bytes that are not valid UTF-8 are percent-encoded (`%FF`), because the database stores the URL as text."""
S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9._-]{1,62}(/(?!\.)[\w.=+-]+)*/?", re.ASCII)
ENDPOINT = re.compile(
    r"https?://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>\d{1,5}))?/?", re.ASCII | re.IGNORECASE
)
"""Address of a server, without user and password: errors of the package would show them."""
HEADER_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
"""Variables whose values become headers of requests. The package panics at characters that no header may contain."""
USER = re.compile(r"(?<=://)[^/@]*@")
MAX_PORT = 65_535
URL_PARTS = 3
"""Parts of the URL of a file: archive, folder of the month, name."""
S3_OPTIONS: dict[str, Any] = {"retry_config": {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}}
"""A request lasts up to 30 s. A silent bucket must not hold up the end of a process for minutes."""
READ_ONLY_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS}
FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT}
MAX_REASON_LENGTH = 200
PANIC = "PanicException"


class Storage(Protocol):
    """Storage of archived files.

    Files have names such as `month=2024-01/17-42-9f86d081884c7d65.parquet`.
    """

    def write(self, name: str, data: bytes) -> None:
        """Store a file durably, in place of one with the same name.

        Raise ArchiveError (NO_ROOM, ARCHIVE_UNREACHABLE).
        """

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raise ArchiveError (ARCHIVE_FILE_MISSING, ARCHIVE_UNREACHABLE).
        """

    def delete(self, name: str) -> None:
        """Delete a file if it exists. Raise ArchiveError (ARCHIVE_UNREACHABLE)."""


@lru_cache(maxsize=64)
def open_storage(url: str) -> Storage:
    """Return the storage at a URL.

    Raise ArchiveError (INVALID_ARCHIVE_URL, ARCHIVE_UNREACHABLE).
    """
    if FILE_URL.fullmatch(url):
        return Folder(url)
    if S3_URL.fullmatch(url):
        return Bucket(url)
    raise _invalid(url)


def split_url(url: str) -> tuple[Storage, str]:
    """Return the storage of an archived file and its name there.

    Raise ArchiveError (INVALID_ARCHIVE_URL, ARCHIVE_UNREACHABLE). An operator may have changed the URL in the database.
    """
    parts = url.rsplit("/", 2)
    if len(parts) < URL_PARTS:
        raise _invalid(url)
    base, month, file = parts
    return open_storage(base), f"{month}/{file}"


def _invalid(url: str) -> ArchiveError:
    shown = escape(USER.sub("***@", url))
    return ArchiveError("INVALID_ARCHIVE_URL", f"'{shown}' is not the URL of an archive; write {FORMS}")


def _missing(url: str, name: str) -> ArchiveError:
    return ArchiveError(
        "ARCHIVE_FILE_MISSING",
        f"{url}/{name} does not exist; restore it from a backup, or make the archive reachable at this address",
    )


class Folder:
    """Storage in a folder.

    The folder must exist: an archive on a disk that is not mounted must not fill another one.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._folder = Path(os.fsdecode(unquote_to_bytes(urlsplit(url).path)))

    def write(self, name: str, data: bytes) -> None:
        """Write a temporary file, fsync it, rename it, and fsync its folder."""
        target = self._folder / name
        with self._explained():
            if not self._folder.is_dir():
                shown = printable(self._folder)
                message = f"the folder {shown} does not exist; create it, or mount its disk"
                if self._folder.exists():
                    message = f"{shown} is not a folder; name one"
                raise ArchiveError("ARCHIVE_UNREACHABLE", message)
            target.parent.mkdir(exist_ok=True)
            partial = target.with_name(f".{target.name}.part")
            try:
                with partial.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                partial.rename(target)
            finally:
                partial.unlink(missing_ok=True)
            for folder in (target.parent, self._folder):
                _sync_folder(folder)

    def read(self, name: str) -> bytes:
        """Read the file."""
        with self._explained():
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError:
                raise _missing(self._url, name) from None

    def delete(self, name: str) -> None:
        """Delete the file, and the folder of its month with the last one."""
        path = self._folder / name
        with self._explained():
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place, reason = printable(error.filename or self._folder), error.strerror or str(error)
            if error.errno in FULL_ERRORS:
                message = f"{place}: {reason}; free some space and run the command again"
                raise ArchiveError("NO_ROOM", message) from error
            remedy = "; give the user of this process access to the folder" if error.errno in READ_ONLY_ERRORS else ""
            raise ArchiveError("ARCHIVE_UNREACHABLE", f"{place}: {reason}{remedy}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Bucket:
    """Storage in a bucket of S3, or of a server that is compatible with S3.

    Credentials, region and endpoint come from the usual environment variables (AWS_…). An endpoint with http:// is accepted as
    it is written.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        try:
            self._obstore = import_module("obstore")
        except ModuleNotFoundError:
            message = f"{url} needs the package obstore: install ratesgraph[s3]"
            raise ArchiveError("ARCHIVE_UNREACHABLE", message) from None
        parts = urlsplit(url)
        self._bucket, prefix = parts.netloc, parts.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        options: dict[str, Any] = dict(S3_OPTIONS)
        _check_variables(endpoint)
        if endpoint:
            options["endpoint"] = endpoint
            options["client_options"] = {"allow_http": endpoint.startswith("http://")}
        with self._explained(""):
            self._store = import_module("obstore.store").S3Store(self._bucket, **options)

    def write(self, name: str, data: bytes) -> None:
        """Put the object; the bucket confirms it with an ETag."""
        with self._explained(name):
            result = self._obstore.put(self._store, self._prefix + name, data)
        if not result["e_tag"]:
            raise ArchiveError(
                "ARCHIVE_UNREACHABLE", f"{self._url}: the bucket has not confirmed {name}; run the command again"
            )

    def read(self, name: str) -> bytes:
        """Get the object."""
        with self._explained(name):
            return bytes(self._obstore.get(self._store, self._prefix + name).bytes())

    def delete(self, name: str) -> None:
        """Delete the object."""
        with self._explained(name):
            self._obstore.delete(self._store, self._prefix + name)

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                message = f"the bucket {self._bucket} does not exist; create it, or correct the URL or AWS_ENDPOINT_URL"
                raise ArchiveError("ARCHIVE_UNREACHABLE", message) from error
            raise _missing(self._url, name) from error
        except Exception as error:
            # The package has no common base class for its errors, and each of them means the same here.
            raise ArchiveError("ARCHIVE_UNREACHABLE", f"{self._url}: {_describe(error)}") from error
        except BaseException as error:
            # A panic of the package is no Exception, and its class cannot be imported.
            if type(error).__name__ != PANIC:
                raise
            raise ArchiveError("ARCHIVE_UNREACHABLE", f"{self._url}: {_describe(Exception(str(error)))}") from error


def _check_variables(endpoint: str | None) -> None:
    """Raise ArchiveError (ARCHIVE_UNREACHABLE) unless the variables can be used.

    The message quotes no secret.
    """
    if endpoint:
        match = ENDPOINT.fullmatch(endpoint)
        if match is None or int(match["port"] or 0) > MAX_PORT:
            shown = escape(USER.sub("***@", endpoint))
            message = f"AWS_ENDPOINT_URL is not an address such as https://host:9000, without a user: '{shown}'"
            raise ArchiveError("ARCHIVE_UNREACHABLE", message)
    for name in HEADER_VARIABLES:
        value = os.environ.get(name, "")
        if not (value.isascii() and value.isprintable()) or " " in value:
            message = f"{name} contains a line break or another character that is not allowed; correct it"
            raise ArchiveError("ARCHIVE_UNREACHABLE", message)


def _describe(error: Exception) -> str:
    """Return the first line of an error of the bucket, with the remedy for a refusal."""
    text = str(error)
    reason = text.partition("\n")[0].strip()[:MAX_REASON_LENGTH]
    if (
        isinstance(error, PermissionError)
        or "AccessDenied" in text
        or "403 Forbidden" in text
        or "401 Unauthorized" in text
    ):
        return f"{reason}; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and the policy of the bucket"
    return f"{reason}; check the network, AWS_REGION and AWS_ENDPOINT_URL"
