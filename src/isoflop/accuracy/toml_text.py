"""Nested tables of text, numbers and lists of text as TOML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from isoflop.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping


def toml_text(tables: Mapping[str, object], prefix: str = "") -> str:
    """What stands in a TOML file for these tables; numbers with four digits.

    >>> print(toml_text({"title": "Hopper", "link": {"efficiency": 0.71234}}), end="")
    title = "Hopper"
    <BLANKLINE>
    [link]
    efficiency = 0.7123
    """
    plain = {name: value for name, value in tables.items() if not isinstance(value, dict)}
    lines = [f"{name} = {_written(name, value)}" for name, value in plain.items()]
    parts = ["\n".join(lines) + "\n"] if lines else []
    for name, value in tables.items():
        if isinstance(value, dict):
            path = f"{prefix}{name}"
            inner = toml_text(value, f"{path}.")
            head = f"[{path}]\n" if any(not isinstance(one, dict) for one in value.values()) else ""
            parts.append(head + inner)
    return "\n".join(parts)


def _written(name: str, value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return f"{value:.4g}"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list() | tuple():
            return json.dumps(list(value), ensure_ascii=False)
    raise BadInput(f"{name}: a {type(value).__name__} cannot be written as TOML")


def toml_value(value: object) -> str:
    """One value on one line, tables too; keys are quoted.

    >>> toml_value({"hopper/hbm": 1.06, "by": ["link"]})
    '{ "hopper/hbm" = 1.06, "by" = ["link"] }'
    """
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(str(key))} = {toml_value(one)}" for key, one in value.items())
        return f"{{ {inner} }}"
    return _written("value", value)
