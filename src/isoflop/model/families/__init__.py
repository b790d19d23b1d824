"""From a config.json to a `ModelSpec`: one file a family.

A file has a table `READS`: `model_type` -> the function that reads its fields. Such a function takes `Fields` and gives
a `ModelSpec`; `common*` hold what families share. Whatever a function does not look at, and is not known to be inert
everywhere, makes the reading unverified. To add a family, add a file; `tests/oracle/model/test_families.py` holds it
against the real modules, field by field. Where a file is silent, fields have what `defaults.json` lists: the defaults
of the family's config class in transformers.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

    Read = Callable[[Fields], ModelSpec]


@cache
def readers() -> Mapping[str, Read]:
    """`model_type` -> its reader, of every file of this folder."""
    found: dict[str, Read] = {}
    for module in iter_modules(__path__):
        for kind, read in getattr(import_module(f"{__name__}.{module.name}"), "READS", {}).items():
            assert kind not in found, f"two files read model_type '{kind}'"
            found[kind] = read
    return found


@cache
def reader(kind: str) -> Read | None:
    """The reader of one type, None for an unknown one. Of the files, only those that name it are loaded."""
    texts = _texts()
    named = re.compile(rf"(?<!\w){re.escape(kind)}(?!\w)")
    naming = [name for name, text in texts.items() if kind and kind in text and named.search(text)]
    for name in sorted(naming, key=lambda name: f'"{kind}"' not in texts[name]):
        read = getattr(import_module(f"{__name__}.{name}"), "READS", {}).get(kind)
        if read is not None:
            return read  # type: ignore[no-any-return]
    return None


@cache
def _texts() -> Mapping[str, str]:
    """The files of this folder by name, to search them without loading them."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))}


@cache
def _defaults() -> Mapping[str, object]:
    return read_json(Path(__file__).parents[1] / "defaults.json")


def class_defaults(kind: str) -> Mapping[str, object]:
    """Field -> what the config class of this `model_type` has where a file is silent; empty for an unknown type."""
    found = _defaults().get(kind, {})
    assert isinstance(found, dict)
    return found
