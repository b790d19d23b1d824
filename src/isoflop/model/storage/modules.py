"""From our weights to the names that released checkpoints give the modules that hold them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from isoflop.errors import BadInput
from isoflop.model.count import TABLES, head_weight
from isoflop.model.parts import Weight
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from isoflop.model.spec import Apart, Group, Layer, ModelSpec

Kind = Literal["matrix", "expert", "router", "joint", "head", "outer", "embedding", "vector"]
"""What decides whether a method takes a weight: a matrix of a layer, of a routed expert, of what routes or weighs; what
joins the inputs of a layer that predicts further tokens; the output layer; a matrix outside the layers; a look-up
table; a vector or a kernel."""

MATRICES: frozenset[Kind] = frozenset({"matrix", "expert"})
MOST_LAYERS = 100_000

_NUMBERED_EXPERT = re.compile(r"experts\\?\.[\[(]?\d")


class Module(NamedTuple):
    """`times` equal weights, and the names of the modules that hold one of them."""

    weight: Weight
    kind: Kind
    times: int
    paths: tuple[str, ...]


@cache
def _names() -> Mapping[str, object]:
    return read_toml(Path(__file__).with_name("module_names.toml"))


def _listed(key: str) -> list[str]:
    found = _names()[key]
    assert isinstance(found, list)
    return found


def _table(key: str) -> Mapping[str, list[str]]:
    found = _names()[key]
    assert isinstance(found, dict)
    return found


@cache
def _parts() -> Mapping[str, tuple[list[str], Mapping[str, list[str]]]]:
    """Part -> (what its modules lie within, name of the weight -> names of the module)."""
    return {entry["name"]: (entry["within"], entry["leaves"]) for entry in _listed("part")}  # type: ignore[index,misc]


class Namer:
    """Names of modules, of all that go by several only those that `patterns` hold; the usual one always."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._text = "\n".join(patterns).replace("\\", "")
        self.by_layer = bool(re.search(r"\d", self._text))
        self.by_expert = bool(_NUMBERED_EXPERT.search(self._text))

    def roots(self, key: Literal["roots", "encoder_roots", "apart_roots"]) -> tuple[str, ...]:
        """Where layers may lie."""
        return self._used(_listed(key))

    def outer(self, weight: Weight) -> tuple[str, ...]:
        """Names of what lies outside the layers."""
        known = _table("outer")
        name = next((name for name in (weight.name, weight.part) if name in known), "")
        return self._used(known[name]) if name else (f"model.{_joined(weight.name)}",)

    def inside(self, weight: Weight) -> tuple[str, ...]:
        """Names within a layer; {} stands for the number of an expert."""
        part = _parts().get(weight.part)
        if part is None:
            return tuple(f"{within}.{_joined(weight.name)}" for within in self._within(weight.part))
        within, leaves = part
        name = weight.name.removesuffix(" bias")
        named = self._used(leaves.get(weight.name) or leaves.get(name) or [_joined(name)])
        return tuple(f"{place}.{leaf}" if place else leaf for place in self._used(within) for leaf in named)

    def _within(self, part: str) -> tuple[str, ...]:
        known = next((places for word, places in _table("within").items() if part.startswith(word)), [_joined(part)])
        return self._used(known)

    def _used(self, names: Sequence[str]) -> tuple[str, ...]:
        """The usual name, and those that stand in the patterns."""
        return tuple(name for place, name in enumerate(names) if not place or self._holds(name))

    def _holds(self, name: str) -> bool:
        return name.removesuffix(".{}") in self._text


def modules(spec: ModelSpec, namer: Namer) -> Iterator[Module]:
    """Every weight that the model holds, with the names of its modules; equal ones together where names allow it."""
    for weight in spec.embedding.weights(spec.width):
        yield Module(weight, "embedding" if weight.part in TABLES else "vector", 1, namer.outer(weight))
    if spec.encoder is not None:
        yield from _layers(spec.encoder.groups, spec.encoder.width, namer, namer.roots("encoder_roots"))
    yield from _layers(spec.stack.groups, spec.width, namer, namer.roots("roots"))
    for stack in (spec.encoder, spec.stack):
        if stack is not None and stack.norm is not None:
            yield from (Module(weight, "vector", 1, ("model.norm",)) for weight in stack.norm.weights(stack.width))
    for extra in spec.extras:
        for weight in extra.weights():
            yield Module(weight, _kind(weight, "outer"), 1, namer.outer(weight))
    yield from _head(spec, namer)


def modules_apart(spec: ModelSpec, apart: Apart, namer: Namer) -> Iterator[Module]:
    """The same for what stands beside the model; its layers are numbered on from the model's last."""
    counted = sum(group.times for group in spec.stack.groups)
    yield from _layers(apart.groups, spec.width, namer, namer.roots("roots"), first=counted, more=("mtp.layers",))
    for extra in apart.extras:
        for weight in extra.weights(apart.name):
            yield Module(weight, _kind(weight, "outer"), 1, namer.outer(weight))


def _head(spec: ModelSpec, namer: Namer) -> Iterator[Module]:
    if spec.head is None:
        return
    matrix = head_weight(spec)
    if not spec.head.tied:
        # Like every matrix it turns `width` numbers into one for each word: inputs first.
        turned = matrix._replace(rows=matrix.columns, columns=matrix.rows)
        yield Module(turned, "head", 1, namer.outer(matrix))
    if spec.head.bias:
        yield Module(Weight("head", "head bias", matrix.rows), "vector", 1, namer.outer(matrix))


def _layers(
    groups: Iterable[Group],
    width: int,
    namer: Namer,
    roots: tuple[str, ...],
    *,
    first: int = 0,
    more: tuple[str, ...] = (),
) -> Iterator[Module]:
    number = first
    for times, layer in groups if namer.by_layer else _merged(groups):
        each = namer.by_layer and times > 1
        if each and number + times > MOST_LAYERS:
            raise BadInput(f"{number + times:,} layers; names of modules are followed for {MOST_LAYERS:,} at most")
        found = layer.weights(width) if layer.held else ()
        for place in range(times if each else 1):
            at = number + place
            bases = (*(f"{root}.{at}" for root in roots), *(f"{root}.{at - first}" for root in more))
            for weight in found:
                yield from _module(weight, bases, 1 if each else times, namer)
        number += times


def _merged(groups: Iterable[Group]) -> list[tuple[int, Layer]]:
    """Equal layers together wherever they stand, for names that do not tell them apart."""
    found: dict[Layer, int] = {}
    for times, layer in groups:
        found[layer] = found.get(layer, 0) + times
    return [(times, layer) for layer, times in found.items()]


def _module(weight: Weight, bases: tuple[str, ...], times: int, namer: Namer) -> Iterator[Module]:
    tails = namer.inside(weight)
    kind = _kind(weight, "matrix")
    experts = range(weight.copies) if kind == "expert" and namer.by_expert else (0,)
    for expert in experts:
        paths = tuple(f"{base}.{tail.format(expert)}" for base in bases for tail in tails)
        yield Module(weight, kind, times * weight.copies // len(experts), paths)


def _kind(weight: Weight, matrix: Literal["matrix", "outer"]) -> Kind:
    if weight.runs == "never":
        return "vector"
    if weight.part == "multi-token prediction":
        return "joint"
    if weight.part == "router" or weight.columns == 1 or weight.name == "index weights":
        return "router"
    return "expert" if weight.copies > 1 else matrix


def _joined(name: str) -> str:
    return name.replace(" ", "_")


def is_elsewhere(pattern: str) -> bool:
    """Whether a pattern names modules that hold no weights counted here."""
    return any(word in pattern.lower() for word in _listed("elsewhere"))
