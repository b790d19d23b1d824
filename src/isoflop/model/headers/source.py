"""Opening a file of weights for its header alone: regular files only, nothing beyond what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


def open_header(path: Path) -> BinaryIO:
    """The file, open for reading; what is no regular file is refused."""
    called = shorten(str(path), most=200)
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "not a regular file" if path.exists() else "not there"
            raise BadFile(f"{called}: {what}. Give the path of a file of weights.")
        return path.open("rb")
    except (OSError, ValueError) as error:
        if isinstance(error, BadFile):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be opened"
        raise BadFile(f"{called}: {reason}. Give the path of a readable file of weights.") from error
