"""The one reader of JSON files: capped in size and depth, finite numbers, no key twice; errors name file and key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten
from isoflop.quantity.toml_file import DEEPEST, Table, read_text

if TYPE_CHECKING:
    from os import PathLike

MOST_BYTES = 16_000_000
"""Config files stay below 100 kB, but lists of quantized layers and indexes of shards reach megabytes."""

MOST_DIGITS = 40


INFINITY = "Infinity"


def read_json(path: str | PathLike[str], *, most_bytes: int = MOST_BYTES, infinity: bool = False) -> Table:
    """The object in a JSON file, after all checks of `parse_json`."""
    return parse_json(read_text(path, most_bytes=most_bytes), str(path), infinity=infinity)


def parse_json(text: str, name: str, *, infinity: bool = False) -> Table:
    """The object that JSON text holds; `name` is what errors call it.

    Refuses text that holds no object, a key twice, nesting deeper than 32, NaN and infinite numbers. Python writes
    `Infinity` where JSON has no such thing, and released configs hold it ("time_step_limit": [0, Infinity]): with
    `infinity` it is read as that text, which no field that counts takes.
    """
    name = shorten(name, most=200)
    try:
        found = json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, name),
            parse_constant=lambda word: _constant(word, name, infinity=infinity),
            parse_int=lambda digits: _integer(digits, name),
            parse_float=lambda digits: _float(digits, name),
        )
    except json.JSONDecodeError as error:
        raise BadFile(f"{name}: not valid JSON: {error.msg}, line {error.lineno} column {error.colno}.") from error
    except RecursionError as error:
        raise BadFile(f"{name}: nested deeper than {DEEPEST} levels, the most that is read.") from error
    if not isinstance(found, dict):
        raise BadFile(f"{name}: holds no JSON object ({{...}}) but a {type(found).__name__}.")
    if _depth(found) > DEEPEST:
        raise BadFile(f"{name}: nested deeper than {DEEPEST} levels, the most that is read.")
    return found


def _object(pairs: list[tuple[str, object]], name: str) -> Table:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadFile(f"{name}: key '{shorten(twice)}' stands in one object twice; keep one of the two.")
    return found


def _constant(word: str, name: str, *, infinity: bool) -> str:
    if infinity and word == INFINITY:
        return word
    raise BadFile(f"{name}: holds {word}; numbers must be finite.")


def _integer(digits: str, name: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise BadFile(f"{name}: holds an integer of {len(digits)} digits.")
    return int(digits)


def _float(digits: str, name: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise BadFile(f"{name}: holds {shorten(digits, most=20)}; numbers must be finite (below about 1.8e308).")
    return value


def _depth(value: object) -> int:
    level: list[object] = [value]
    depth = 0
    while level and depth <= DEEPEST + 1:
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level, depth = inner, depth + 1
    return depth - 1
