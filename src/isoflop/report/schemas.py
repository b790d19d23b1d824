"""The published form of everything that --json prints: a JSON Schema (2020-12) for each kind of object.

A kind is one entry: of `schema.json`, or a file of the folder `schemas`. Its `x-printed-by` says which command prints
it. Versions: `schema_version` is one number for all kinds. Fields may be added, and texts changed, without it; it grows
when a field is removed, renamed or changes its meaning or unit, and CHANGELOG.md says so two minor versions before.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from isoflop.errors import UnknownName

if TYPE_CHECKING:
    from isoflop.report.json import Json

    Object = dict[str, Json]

SHARED = "shared"
_REF = "#/$defs/"


def schema() -> Object:
    """The whole schema: valid is what is any of the kinds."""
    kinds = _kinds()
    read: Object = json.loads(_text("schema.json"))
    held = read["$defs"]
    assert isinstance(held, dict)
    read["$defs"] = {**held, **_shared(), **{name: kinds[name] for name in kinds if name not in held}}
    read["anyOf"] = [{"$ref": f"{_REF}{name}"} for name in kinds]
    return read


def schema_names() -> tuple[str, ...]:
    """Every kind of object by name."""
    return tuple(_kinds())


def schema_of(name: str) -> Object:
    """The schema of one kind, with everything it refers to and nothing else. Raises: UnknownName."""
    kinds = _kinds()
    if name not in kinds:
        raise UnknownName("schema", name, kinds, listing="isoflop schema")
    whole = schema()
    every = whole["$defs"]
    assert isinstance(every, dict)
    needed = _reached(name, every) | {"versioned"}
    return {
        "$schema": whole["$schema"],
        "$id": f"urn:isoflop:{name}:{version()}",
        "title": title_of(name),
        "allOf": [{"$ref": f"{_REF}versioned"}, {"$ref": f"{_REF}{name}"}],
        "$defs": {key: every[key] for key in every if key in needed},
    }


def title_of(name: str) -> str:
    """What a kind is, in a sentence."""
    kind = _kinds()[name]
    return str(kind.get("title") or kind.get("description") or name)


def printed_by(name: str) -> str:
    """The command that prints a kind."""
    return str(_kinds()[name].get("x-printed-by", ""))


def version() -> int:
    """The version that every object carries as `schema_version`."""
    from isoflop.report.json import SCHEMA_VERSION

    return SCHEMA_VERSION


def _reached(name: str, every: Object) -> set[str]:
    """The definitions that one leads to, itself among them."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead += _refs(every[one])
    return found


def _refs(node: Json) -> list[str]:
    if isinstance(node, list):
        return [ref for one in node for ref in _refs(one)]
    if not isinstance(node, dict):
        return []
    found = [ref for value in node.values() for ref in _refs(value)]
    ref = node.get("$ref")
    return [*found, ref.removeprefix(_REF)] if isinstance(ref, str) else found


@cache
def _text(*place: str) -> str:
    return files("isoflop.report").joinpath(*place).read_text(encoding="utf-8")


def _shared() -> Object:
    read: Object = json.loads(_text("schemas", f"{SHARED}.json"))
    return read


def _kinds() -> dict[str, Object]:
    """Every kind by name: those of schema.json in their order, then those of the folder."""
    core = json.loads(_text("schema.json"))
    names = [str(one["$ref"]).removeprefix(_REF) for one in core["anyOf"]]
    found: dict[str, Object] = {name: core["$defs"][name] for name in names}
    for path in sorted(files("isoflop.report").joinpath("schemas").iterdir(), key=lambda one: one.name):
        name = path.name.removesuffix(".json")
        if path.name.endswith(".json") and name != SHARED:
            found[name] = json.loads(_text("schemas", path.name))
    return found
