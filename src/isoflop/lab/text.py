"""Documents from local files: plain text, JSON lines, Parquet; one after the other, in a fixed order."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, MissingData, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LARGEST = 2_000_000_000
"""Bytes of one text file: more is to be split, so that no document fills the memory."""

JSON_LINES = (".jsonl", ".ndjson")


def files_of(source: Path, include: Sequence[str]) -> tuple[Path, ...]:
    """Files of a source in order of their names; a folder is searched for names that match one of `include`.

    Raises: BadInput where there is none.
    """
    if source.is_file():
        return (source,)
    if not source.is_dir():
        raise BadInput(f"data source '{shorten(str(source), most=200)}' is not there; give a file or a folder of text.")
    found = [path for path in source.rglob("*") if path.is_file() and any(fnmatch(path.name, one) for one in include)]
    if not found:
        raise BadInput(
            f"no file in '{shorten(str(source), most=200)}' matches {', '.join(include)}; say which are text with"
            ' include = ["*.txt", "*.md"] under [data].'
        )
    return tuple(sorted(found, key=lambda path: path.relative_to(source).as_posix()))


def documents(files: Sequence[Path], field: str = "text") -> Iterator[str]:
    """Every document of these files that is not empty; `field` names the text in JSON lines and in Parquet.

    Bytes that are no UTF-8 in plain text become U+FFFD; a line of JSON that cannot be read is refused.
    """
    for path in files:
        for text in _documents_of(path, field):
            if text.strip():
                yield text


def _documents_of(path: Path, field: str) -> Iterator[str]:
    try:
        if path.suffix in JSON_LINES:
            yield from _json_lines(path, field)
        elif path.suffix == ".parquet":
            yield from _parquet(path, field)
        else:
            if path.stat().st_size > LARGEST:
                raise BadFile(f"{path}: larger than {LARGEST:,} bytes; split it into files of one document each.")
            yield path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadFile(f"{shorten(str(path), most=200)}: {error.strerror}; give readable text files.") from error


def _json_lines(path: Path, field: str) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise BadFile(f"{path}: line {number} is no JSON; mend it, or give plain text.") from error
            if not isinstance(record, dict) or not isinstance(record.get(field), str):
                keys = ", ".join(sorted(record)[:8]) if isinstance(record, dict) else "no object"
                raise BadFile(
                    f'{path}: line {number} has no text under "{field}" (it has {keys}); name the key with field ='
                    ' "NAME" under [data].'
                )
            yield record[field]


def _parquet(path: Path, field: str) -> Iterator[str]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise MissingData("Parquet needs pyarrow: pip install 'isoflop[parquet]'.") from error
    try:
        file = parquet.ParquetFile(path)
    except ArrowInvalid as error:
        raise BadFile(f"{path}: no Parquet file ({shorten(str(error))}).") from error
    if field not in file.schema_arrow.names:
        raise BadFile(
            f"{path}: no column '{field}'; it has {', '.join(file.schema_arrow.names[:8])}. Name one with field ="
            ' "NAME" under [data].'
        )
    for batch in file.iter_batches(batch_size=256, columns=[field]):
        yield from (str(one) for one in batch.column(0).to_pylist() if one is not None)
