"""Encoding of standard output, so that no name ends a command that prints it."""

import os
import sys
from io import TextIOWrapper


def configure_output() -> None:
    """Write UTF-8 to files and pipes, and escape what a terminal cannot show.

    The locale may be unable to encode the name of a folder or a port. Standard error escapes such characters anyway.
    """
    if sys.stdout is None:
        # The shell has closed it, as with `>&-`.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # a stream for the whole process
    # Tests replace the stream.
    if isinstance(sys.stdout, TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
