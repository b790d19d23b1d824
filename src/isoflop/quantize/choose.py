"""Which tensors are quantized and which stay, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, shorten
from isoflop.quantity.toml_file import parse_toml
from isoflop.quantize.source import FLOATS

if TYPE_CHECKING:
    from isoflop.quantize.scheme import Scheme
    from isoflop.quantize.source import Placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """What the user adds to the rules: glob patterns of module names, `keep` before `include`."""

    keep: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


def reason_to_keep(tensor: Placed, scheme: Scheme, patterns: Patterns) -> str:
    """Why a tensor stays in its number format; empty where it is quantized."""
    if tensor.dtype not in FLOATS:
        return "not a floating-point tensor"
    module = module_of(tensor.name)
    if not module or len(tensor.shape) != 2:
        return "not the matrix of a layer"
    if any(_matches(module, pattern) for pattern in patterns.keep):
        return "kept as asked"
    if not any(_matches(module, pattern) for pattern in patterns.include):
        for rule, reason in _rules():
            if rule.search(module):
                return reason
    if 0 in tensor.shape:
        return "empty"
    return _misfit(tensor.shape[1], scheme)


def module_of(name: str) -> str:
    """The layer whose weight a tensor is: "model.layers.0.mlp.up_proj"; empty for what is no weight."""
    return name.removesuffix(".weight") if name.endswith(".weight") else ""


def _misfit(columns: int, scheme: Scheme) -> str:
    """Where rows cannot be cut into groups or packed."""
    if scheme.granularity == "group" and columns % scheme.group:
        return f"rows of {columns:,} do not divide into groups of {scheme.group}"
    if scheme.element == "e2m1" and columns % 2:
        return f"rows of {columns:,} cannot be packed two a byte"
    return ""


def _matches(module: str, pattern: str) -> bool:
    return fnmatchcase(module, pattern) or fnmatchcase(f"{module}.weight", pattern)


def check_patterns(patterns: Patterns, tensors: tuple[Placed, ...]) -> None:
    """Refuse a pattern that matches nothing: it is a slip, and would pass unseen.

    Raises:
        BadInput: such a pattern.
    """
    modules = [module_of(tensor.name) for tensor in tensors]
    for pattern in (*patterns.keep, *patterns.include):
        if not any(module and _matches(module, pattern) for module in modules):
            some = ", ".join(f"'{module}'" for module in modules[:40:13] if module)
            raise BadInput(
                f"pattern '{shorten(pattern)}' matches no layer; names look like {some or 'nothing: no layers here'}. "
                "A * stands for anything."
            )


@cache
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    text = files("isoflop.quantize").joinpath("keep.toml").read_text(encoding="utf-8")
    listed = parse_toml(text, "keep.toml")["rule"]
    assert isinstance(listed, list)
    return tuple((re.compile(str(one["pattern"])), str(one["reason"])) for one in listed)
