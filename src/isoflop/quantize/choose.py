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
    asked = any(_matches(module, pattern) for pattern in patterns.include)
    for rule in _rules():
        if rule.pattern.search(module) and (rule.fixed or not asked):
            return rule.reason
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


def renamed(module: str) -> str:
    r"""A pattern for this module under any name that readers of models with vision give it; empty for none.

    >>> renamed("visual.blocks.0.attn.qkv"), renamed("language_model.model.layers.3.mlp.gate")
    ('re:.*visual\\..*', 're:.*\\.layers\\.3\\.mlp\\.gate$')
    """
    for rule in _rules():
        found = rule.pattern.search(module) if rule.tower else None
        if found is not None:
            whole = rf"{re.escape(found[2])}$" if found[0].strip(".") == module else rf"{re.escape(found[2])}\..*"
            return rf"re:.*{whole}"
    layer = re.search(r"\.(layers|blocks|h)\.\d+\..*", module)
    return f"re:.*{re.escape(layer[0])}$" if layer else ""


def check_patterns(patterns: Patterns, tensors: tuple[Placed, ...], scheme: Scheme) -> None:
    """Refuse a pattern that changes nothing: it is a slip, and would pass unseen.

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
    for pattern in patterns.include:
        meant = [tensor for tensor in tensors if _matches(module_of(tensor.name), pattern)]
        reasons = {reason_to_keep(tensor, scheme, patterns) for tensor in meant}
        if "" not in reasons:
            raise BadInput(f"--include '{shorten(pattern)}' includes nothing: {'; '.join(sorted(reasons))}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Modules that stay: `fixed` ones have no other form in the file; a `tower` is a model of its own in the model."""

    pattern: re.Pattern[str]
    reason: str
    fixed: bool
    tower: bool


@cache
def _rules() -> tuple[_Rule, ...]:
    text = files("isoflop.quantize").joinpath("keep.toml").read_text(encoding="utf-8")
    listed = parse_toml(text, "keep.toml")["rule"]
    assert isinstance(listed, list)
    return tuple(
        _Rule(
            pattern=re.compile(str(one["pattern"])), reason=str(one["reason"]), fixed=bool(one.get("fixed")),
            tower=bool(one.get("tower")),
        )
        for one in listed
    )  # fmt: skip
