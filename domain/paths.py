"""Paths as text for people: any sequence of bytes may be the name of a file."""

import os
from pathlib import Path


def printable(path: Path | str) -> str:
    """Return the path, with line breaks and bytes that are no characters escaped."""
    return escape(os.fsencode(path).decode(errors="backslashreplace"))


def escape(text: str) -> str:
    """Return the text, with all characters escaped that cannot be printed."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
