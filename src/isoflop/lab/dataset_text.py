"""Documents that the library `datasets` reads from this machine: what it saved, or files it knows how to build from.

Nothing is fetched: a name of the hub is refused with how to have it here. A folder that `save_to_disk` wrote is mapped
into memory, other files are streamed; neither is copied.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, MissingData, UnknownName, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

SAVED = ("state.json", "dataset_dict.json")
"""One of them lies in every folder that `save_to_disk` wrote: of one split, and of several."""


def dataset_documents(source: Path, field: str, split: str, cache: Path) -> Iterator[str]:
    """Every document of a split that is not empty, in the order of the dataset; `cache` takes the library's lock files.

    Raises: MissingData without the library; BadInput for a source that is not on this machine; UnknownName for a split
    or column it does not have; BadFile for what the library cannot read.
    """
    library = _library()
    said = shorten(str(source), most=200)
    if not source.exists():
        raise BadInput(
            f"data source '{said}' is not on this machine, and nothing is fetched. To have a dataset of the hub here:"
            f" datasets.load_dataset('OWNER/NAME', split='{split}').save_to_disk('FOLDER'), then source = \"FOLDER\"."
        )
    found = _opened(library, source, split, cache)
    names = getattr(found, "column_names", None)
    if names is not None and field not in names:
        raise UnknownName(f"column of '{said}' (field under [data])", field, names, hint=f"It has {_listed(names)}.")
    yield from _texts(found, field, said)


def _opened(library: ModuleType, source: Path, split: str, cache: Path) -> object:
    """The split as something to iterate over."""
    said = shorten(str(source), most=200)
    try:
        if any((source / name).is_file() for name in SAVED):
            saved = library.load_from_disk(str(source))
            if not isinstance(saved, Mapping):
                return saved
            if split not in saved:
                raise UnknownName(f"split of '{said}'", split, list(saved), hint=f"It has {_listed(list(saved))}.")
            return saved[split]
        folder, only = (source, None) if source.is_dir() else (source.parent, {split: source.name})
        return library.load_dataset(str(folder), data_files=only, split=split, streaming=True, cache_dir=str(cache))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:  # whatever its many builders raise
        if isinstance(error, BadInput):
            raise
        raise BadFile(
            f"{said}: datasets cannot open split '{split}' ({shorten(str(error), most=200)}); give a folder that"
            " save_to_disk wrote, or of JSON, CSV, Parquet, Arrow or text files."
        ) from error


def _texts(found: object, field: str, said: str) -> Iterator[str]:
    records = iter(found)  # type: ignore[call-overload]  # a dataset of an untyped library
    number = 0
    while True:
        try:
            record = next(records, None)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            raise BadFile(
                f"{said}: datasets stops after {number:,} records ({shorten(str(error), most=200)}); mend the file."
            ) from error
        if record is None:
            return
        number += 1
        text = record.get(field)
        if not isinstance(text, str | None) or field not in record:
            raise BadFile(
                f'{said}: record {number:,} has no text under "{field}" (it has {_listed(list(record))}); name the'
                ' column with field = "NAME" under [data].'
            )
        if text and text.strip():
            yield text


def _listed(names: list[str]) -> str:
    return ", ".join(json.dumps(str(one)) for one in names[:8])


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise MissingData(
            "reader = \"datasets\" needs that library: pip install 'isoflop[lab]'. Text, JSON lines and Parquet are"
            " read without it: leave reader out."
        ) from error
    module: ModuleType = datasets
    return module
