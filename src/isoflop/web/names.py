"""Names that a client sends: catalogue entries and sizes, never a file, a folder or an address.

The library takes a path wherever it takes a name. A page that is reached over the network must not: whoever may ask
for a plan may not look at files. So every word is looked at here before anything else sees it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, UnknownName, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = (".toml", ".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".yaml", ".yml", ".safetensors", ".gguf", ".npz")
"""Endings of files that the library reads somewhere."""

NAMED = frozenset({"on", "device", "node", "grid", "law", "provider", "region", "commitment", "dtype", "target"})
"""Words whose values are names: no separator of folders is part of any."""

REFUSED = frozenset({"prices", "folder", "settings", "profile", "out", "configs", "file"})
"""Words that name files by themselves."""

LONGEST = 2_000
"""Characters of a value; texts and tables are checked where they are read."""

_FILE_START = re.compile(r"\s*(?:[./~\\]|hf:|[A-Za-z]:\\|file:)", re.IGNORECASE)
_SIZE = re.compile(r"\s*(?:~\s*)?\.?\d")
_PRICE_FILE = re.compile(r"\.toml\s*$", re.IGNORECASE)


def guarded(words: Mapping[str, str], *, texts: frozenset[str] = frozenset()) -> dict[str, str | float]:
    """The same words, each safe to hand to the library; a model is its preset's whole name or a number of parameters.

    `texts` are words whose values are documents: they are read as such and name nothing. Raises: BadInput for what
    names a file, UnknownName for a model that is no preset and no size.
    """
    safe: dict[str, str | float] = {}
    for key, text in words.items():
        name = key.strip().lower().replace("-", "_")
        if name in texts or key in texts:
            safe[key] = text
            continue
        _refuse_files(name, text)
        safe[key] = model_name(text) if name == "model" else text
    return safe


def _refuse_files(name: str, text: str) -> None:
    if len(text) > LONGEST:
        raise BadInput(f"{name} has {len(text):,} characters; at most {LONGEST:,} are read here")
    if "\0" in text:
        raise BadInput(f"{name} holds a character that no name has; write it again")
    plain = text.strip().lower()
    is_number = re.fullmatch(r"\s*\.\d.*", text) is not None
    has_folder = "/" in plain or "\\" in plain
    if (
        name in REFUSED
        or plain.endswith(FILES)
        or (_FILE_START.match(text) and not is_number)
        or (name in {*NAMED, "model"} and has_folder)
    ):
        raise BadInput(
            f"{shorten(name)}={shorten(text)}: the page opens no files; give a name of the catalogue, paste the text "
            "where there is a box for it, or use the command line"
        )


def model_name(text: str) -> str | float:
    """What `text` names: the whole name of a preset, or the number of parameters of a size ("7B")."""
    from isoflop.model.presets import LISTING, exact_preset, find_preset, model_names

    found = exact_preset(text)
    found = found or find_preset(text)
    if found is not None:
        return found
    if _SIZE.match(text):
        from isoflop.quantity import quantity, read

        return float(read(text, quantity("params")).spread.median)
    raise UnknownName("model", text, model_names(), listing=LISTING)
