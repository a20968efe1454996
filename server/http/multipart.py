"""GraphQL multipart requests: a file beside the operation that names it.

After https://github.com/jaydenseric/graphql-multipart-request-spec: the field `operations` is the request with null in the
place of the file, the field `map` says which part goes where, and the file follows. It is spooled to disk while it
arrives, so that it is never whole in memory, and nothing but this request waits for a slow sender.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from server.http.errors import RETRY_AFTER, HttpError
from server.http.request_params import Parameters, validate_params

MAX_FILES = 1
MAX_FIELDS = 2
MAX_FIELD_BYTES = 1024 * 1024
"""The operation and the map are decoded on the event loop: a megabyte takes some milliseconds."""
MAX_INDEX_DIGITS = 6

Json = dict[str, Any]


def is_multipart(content_type: bytes) -> bool:
    """Return whether the body is a form with files."""
    return content_type.partition(b";")[0].strip().lower() == b"multipart/form-data"


class EndTrackingMultiPartParser(MultiPartParser):
    """Starlette's parser, which also tells whether the form has come to its end."""

    has_ended = False

    def on_end(self) -> None:
        """Note that the last boundary was read."""
        self.has_ended = True


@asynccontextmanager
async def parsed_multipart_request(request: Request) -> AsyncIterator[Parameters]:
    """Read the whole form and yield the parameters that it holds, with the file in its place; it goes with the block.

    Raise BadRequest (BAD_MULTIPART, BAD_PARAMETER; NO_ROOM where the disk cannot take the file), or starlette's own exception
    for a body that is too large.
    """
    form = await _read_form(request)
    try:
        yield validate_params(_read_operation(form))
    finally:
        await form.close()


async def _read_form(request: Request) -> FormData:
    async def chunks() -> AsyncGenerator[bytes, None]:
        async for chunk in request.stream():
            yield chunk
        # Raised while the parser reads, so that it lets go of what it has spooled.
        if not reader.has_ended:
            raise MultiPartException("The form ends before its last boundary.")

    reader = EndTrackingMultiPartParser(
        request.headers, chunks(), max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    )
    try:
        return await reader.parse()
    except MultiPartException as error:
        raise bad_multipart(error.message) from error
    except ClientDisconnect as error:
        raise bad_multipart("The connection ended before the form did.") from error
    except ValueError as error:
        # A charset of the sender's choice can fail in many ways.
        raise bad_multipart("The form cannot be read.") from error
    except OSError as error:
        message = "The server has no room for the file right now. Try again later."
        raise HttpError("NO_ROOM", message, status=503, headers=RETRY_AFTER) from error


def _read_operation(form: FormData) -> Json:
    operation = _read_object(form, "operations")
    file_map = _read_object(form, "map")
    files = {name: part for name, part in form.multi_items() if isinstance(part, UploadFile)}
    if unknown := files.keys() - file_map.keys():
        raise bad_multipart(f"`map` does not say where the file {unknown.pop()!r} belongs.")
    for name, paths in file_map.items():
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise bad_multipart(f"`map` must hold a list of paths for {name!r}.")
        if name not in files:
            raise bad_multipart(f"`map` names a file {name!r} that is not in the body.")
        for path in paths:
            _assign_file(operation, path, files[name])
    return operation


def bad_multipart(message: str) -> HttpError:
    """Return the refusal of a form that is not what the specification says."""
    return HttpError("BAD_MULTIPART", message)


def _read_object(form: FormData, name: str) -> Json:
    values = form.getlist(name)
    if len(values) != 1 or not isinstance(values[0], str):
        raise bad_multipart(f"The form must have one field `{name}`, without a file's name.")
    try:
        value = orjson.loads(values[0])
    except orjson.JSONDecodeError as error:
        raise bad_multipart(f"`{name}` is not JSON.") from error
    if isinstance(value, list) and name == "operations":
        raise bad_multipart("`operations` is an array: send one operation in one request.")
    if not isinstance(value, dict):
        raise bad_multipart(f"`{name}` must be a JSON object.")
    return value


def _assign_file(operation: Json, path: str, file: UploadFile) -> None:
    """Put the file where the path leads, which must be a null among the variables."""
    *steps, last = path.split(".")
    place: Any = operation if steps[:1] == ["variables"] else None
    for step in steps:
        place = _get_path(place, step)
    if _get_path(place, last, default=file) is not None:
        raise bad_multipart(f"`map` leads to {path!r}, which is no null among the variables.")
    place[int(last) if isinstance(place, list) else last] = file


def _get_path(place: Any, step: str, default: object = None) -> Any:  # noqa: ANN401
    """Return what is one step further in decoded JSON."""
    if isinstance(place, dict):
        return place.get(step, default)
    if isinstance(place, list) and step.isdecimal() and step.isascii() and len(step) <= MAX_INDEX_DIGITS:
        return place[int(step)] if int(step) < len(place) else default
    return default
