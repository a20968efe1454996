"""Text of a file as chunks of UTF-8, decompressed and without a byte order mark.

UTF-16 and UTF-32 are converted: spreadsheets save "Unicode text" so. Whether the chunks of other texts are valid UTF-8 is for
the caller to check.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from domain.file_formats import MAX_MARK_BYTES, find_mark
from ingest.errors import FileRejected


def read_chunks(file: BinaryIO, *, gzipped: bool, size: int) -> Iterator[bytes]:
    """Yield the text in chunks made of up to `size` bytes of the (decompressed) file.

    Raise FileRejected (BROKEN_FILE, WRONG_ENCODING) where the data are damaged.
    """
    source = gzip.GzipFile(fileobj=_SmallReads(file), mode="rb") if gzipped else file  # type: ignore[call-overload]
    head = _read(source, MAX_MARK_BYTES)
    mark, encoding = find_mark(head)
    data = head[len(mark) :] + _read(source, size)
    if encoding == "utf-8":
        while data:
            yield data
            data = _read(source, size)
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while data:
            yield decoder.decode(data).encode()
            data = _read(source, size)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        message = f"the text is not valid {encoding[:6].upper()}, or cut off; save the file as UTF-8"
        raise FileRejected("WRONG_ENCODING", message) from error


class _SmallReads:
    """File wrapper that limits the size of reads.

    The file's position then approximates how many compressed bytes the text so far was decompressed from.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """Return up to 8 KiB."""
        return self._file.read(min(size, 8 << 10))


def _read(source: BinaryIO | gzip.GzipFile, size: int) -> bytes:
    try:
        return source.read(size)
    except EOFError as error:
        raise FileRejected("BROKEN_FILE", "truncated gzip data: the file is cut off; send it again") from error
    except gzip.BadGzipFile as error:
        if "Not a gzipped file" in str(error):
            message = "the gzip data are followed by other data; compress all of the file, or remove them"
        else:
            message = "damaged gzip data; compress the file again"
        raise FileRejected("BROKEN_FILE", message) from error
    except zlib.error as error:
        raise FileRejected("BROKEN_FILE", "damaged gzip data; compress the file again") from error
