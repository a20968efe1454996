"""GraphQL multipart requests: an operation and its file in one form.

The format is https://github.com/jaydenseric/graphql-multipart-request-spec. The field `operations` is the request with null in
place of the file, and the field `map` assigns parts to variables. The file comes last and is spooled to disk as it arrives: it
is never whole in memory, and a slow sender delays only its own request.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from db.embedded.disk_space import DiskSpace
from resolvers.errors import quote
from server.http.errors import RETRY_AFTER, HttpError, no_room
from server.http.request_params import Parameters, validate_params

log = logging.getLogger("ratesgraph.server")

MAX_FILES = 1
TEXT_FIELDS = (b"operations", b"map")
MAX_FIELDS = len(TEXT_FIELDS)
MAX_FIELD_BYTES = 1024 * 1024
"""Limit for `operations` and `map`, which are decoded on the event loop.

A megabyte costs some milliseconds.
"""
MAX_INDEX_DIGITS = 6
MAX_PATH_LENGTH = 200
"""Maximum characters of a path in `map`, each step of which is followed. `variables.file` has 14."""
MAX_SHOWN_LENGTH = 60
"""Maximum characters of a client's text in an error message."""

Json = dict[str, Any]


def is_multipart(content_type: bytes) -> bool:
    """Return whether the Content-Type is multipart/form-data."""
    return content_type.partition(b";")[0].strip().lower() == b"multipart/form-data"


class OperationMultiPartParser(MultiPartParser):
    """Starlette's multipart parser, for forms of two known text fields and files.

    Attributes:
        has_ended: whether the final boundary was read.
    """

    has_ended = False

    def on_headers_finished(self) -> None:
        """Begin a part.

        Every part except `operations` and `map` is a file, even without a file name.
        """
        part = self._current_part
        _, options = parse_options_header(part.content_disposition)
        if b"filename" not in options and options.get(b"name") not in {None, *TEXT_FIELDS}:
            part.content_disposition = (part.content_disposition or b"") + b'; filename=""'
        super().on_headers_finished()

    def on_end(self) -> None:
        """Record that the final boundary was read."""
        self.has_ended = True


@asynccontextmanager
async def parsed_multipart_request(request: Request, disk_space: DiskSpace | None = None) -> AsyncIterator[Parameters]:
    """Parse the whole form and yield its parameters, with the file among the variables.

    The spooled file is deleted at the end of the block. Raise HttpError (BAD_MULTIPART, BAD_PARAMETER; NO_ROOM if the disk of
    the spooled file or of the database is full; PAYLOAD_TOO_LARGE from the body limit).
    """
    form = await _parse_form(request, disk_space)
    try:
        yield validate_params(_parse_operation(form))
    finally:
        await form.close()


async def _parse_form(request: Request, disk_space: DiskSpace | None) -> FormData:
    async def chunks() -> AsyncGenerator[bytes, None]:
        async for chunk in request.stream():
            # Spooled files and the database usually share a disk. A file that the database would refuse is not spooled either.
            if disk_space is not None and (shortage := disk_space.find_shortage(len(chunk))) is not None:
                raise no_room(shortage)
            yield chunk
        # Raised while the parser reads, so that it closes the spooled file.
        if not reader.has_ended:
            raise MultiPartException("Truncated multipart body: the final boundary is missing.")

    reader = OperationMultiPartParser(
        request.headers, chunks(), max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    )
    try:
        return await reader.parse()
    except MultiPartException as error:
        raise bad_multipart(error.message) from error
    except ClientDisconnect as error:
        raise bad_multipart("The connection closed during the upload.") from error
    except ValueError as error:
        # The client chooses the charset, which can fail in many ways.
        raise bad_multipart("Malformed multipart body.") from error
    except OSError as error:
        log.warning("storing an uploaded file failed", exc_info=error)
        message = "The server cannot store the file at the moment. Try again later."
        raise HttpError("NO_ROOM", message, status=503, headers=RETRY_AFTER) from error


def _parse_operation(form: FormData) -> Json:
    operation = _parse_object(form, "operations")
    file_map = _parse_object(form, "map")
    files = {name: part for name, part in form.multi_items() if isinstance(part, UploadFile)}
    if unknown := files.keys() - file_map.keys():
        raise bad_multipart(f"File part {quote(unknown.pop(), MAX_SHOWN_LENGTH)} is not referenced in `map`.")
    for name, paths in file_map.items():
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise bad_multipart(f"`map` must contain a list of paths for {quote(name, MAX_SHOWN_LENGTH)}.")
        if name not in files:
            raise bad_multipart(f"`map` references missing file part {quote(name, MAX_SHOWN_LENGTH)}.")
        for path in paths:
            _assign_file(operation, path, files[name])
    return operation


def bad_multipart(message: str) -> HttpError:
    """Return an error for a form that violates the specification."""
    return HttpError("BAD_MULTIPART", message)


def _parse_object(form: FormData, name: str) -> Json:
    values = form.getlist(name)
    if len(values) != 1 or not isinstance(values[0], str):
        raise bad_multipart(f"The form needs exactly one text field `{name}`.")
    try:
        value = orjson.loads(values[0])
    except orjson.JSONDecodeError as error:
        raise bad_multipart(f"`{name}` is not valid JSON.") from error
    if isinstance(value, list) and name == "operations":
        raise bad_multipart("Batched requests are not supported: `operations` must be a single operation.")
    if not isinstance(value, dict):
        raise bad_multipart(f"`{name}` must be a JSON object.")
    return value


def _assign_file(operation: Json, path: str, file: UploadFile) -> None:
    """Replace the null variable at the path by the file."""
    # No variable is as deep as a longer path.
    *steps, last = path[:MAX_PATH_LENGTH].split(".")
    target: Any = operation if steps[:1] == ["variables"] and len(path) <= MAX_PATH_LENGTH else None
    for step in steps:
        target = _get_path(target, step)
    if _get_path(target, last, default=file) is not None:
        raise bad_multipart(f"`map` path {quote(path, MAX_SHOWN_LENGTH)} must point to a null variable.")
    target[int(last) if isinstance(target, list) else last] = file


def _get_path(value: Any, step: str, default: object = None) -> Any:  # noqa: ANN401
    """Return the member or entry of decoded JSON at one step of a path."""
    if isinstance(value, dict):
        return value.get(step, default)
    if isinstance(value, list) and step.isdecimal() and step.isascii() and len(step) <= MAX_INDEX_DIGITS:
        return value[int(step)] if int(step) < len(value) else default
    return default
