"""What ends the work on a whole file. Problems of single items are data, not exceptions: see `ingest.batches.validation`."""


class IngestError(Exception):
    """The work cannot go on; `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class FileRejected(IngestError):
    """A file of prices is unusable as a whole."""


class TreeRejected(IngestError):
    """A change would break the tree. The message says where it was read; `number` is the wish that fails, if one does."""

    def __init__(self, code: str, message: str, number: int | None = None) -> None:
        super().__init__(code, message)
        self.number = number


class RatesUnavailable(IngestError):
    """A source of exchange rates does not answer, or answers with something else."""
