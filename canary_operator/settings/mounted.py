"""Secrets that are files: read again whenever they are needed, because mounted ones are rotated.

Law: a text about a file names it and never what it holds.
"""

from pathlib import Path


class UnreadableError(Exception):
    """A file that the configuration names cannot be used; the text names the file, never its content."""


def read_line(path: Path) -> str:
    """The one line of a mounted file.

    Raises:

        UnreadableError: there is no such file, or it holds something else.
    """
    try:
        line = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} cannot be read") from error
    if not line or not line.isprintable():
        raise UnreadableError(f"{path} is empty or holds more than one line")
    return line
