"""Exceptions that end the processing of a whole file.

Problems of single items are data, not exceptions: see `ingest.batches.validation`.
"""


class IngestError(Exception):
    """Base class of errors after which processing cannot continue.

    `code` is for programs, `message` for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class FileRejected(IngestError):
    """A price file is unusable as a whole."""


class TreeRejected(IngestError):
    """A change would break the tree.

    The message states the line or number of the entry. `number` is the number of the invalid entry, counting from 1, if any.
    """

    def __init__(self, code: str, message: str, number: int | None = None) -> None:
        super().__init__(code, message)
        self.number = number


class RatesUnavailable(IngestError):
    """A source of exchange rates is unreachable, or its response is not usable."""


class ClusterUnusable(IngestError):
    """A Citus cluster is missing or unfit to take the tables."""


class ArchiveError(IngestError):
    """The archive cannot be read or written.

    The message names URLs and folders, which clients must not see. `file` is the name of the file without them, if one is the
    reason.
    """

    def __init__(self, code: str, message: str, *, file: str | None = None) -> None:
        super().__init__(code, message)
        self.file = file


class SampleRejected(IngestError):
    """A sample of a database cannot be made."""
