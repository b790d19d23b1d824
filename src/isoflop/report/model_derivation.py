"""The derivation of a model's counts: which shapes multiply to what, numbered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from isoflop.model import Recurrent
from isoflop.model.count import TABLES
from isoflop.model.sheet import KV_BYTES
from isoflop.report.model_words import mixer_words
from isoflop.report.table import Cell, Column
from isoflop.report.words import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from isoflop.model.parts import Mixer
    from isoflop.model.sheet import Shape, Sheet


class ModelStep(NamedTuple):
    """One line: what it gives, from which factors, and how much that is, in `unit`."""

    number: int
    section: str
    gives: str
    formula: str
    value: float
    unit: str


def model_steps(sheet: Sheet) -> tuple[ModelStep, ...]:
    """The derivation of the parameter counts, the forward FLOP and the cache."""
    lines = [*_parameters(sheet), *_flops(sheet), *_state(sheet)]
    return tuple(
        ModelStep(place, section, gives, formula, value, unit)
        for place, (section, gives, formula, value, unit) in enumerate(lines, start=1)
    )


def steps_table(steps: Iterable[ModelStep]) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
    """Steps as a table: number, what it gives, from which factors, how much."""
    columns = (
        Column(name="step", title=" ", right=True),
        Column(name="gives", title=" "),
        Column(name="formula", title="="),
        Column(name="value", title=" ", right=True, written=_written),
        Column(name="unit", title=" "),
    )
    return columns, [(f"[{one.number}]", one.gives, one.formula, float(one.value), one.unit) for one in steps]


def _written(value: float) -> str:
    return f"{value:,.0f}" if value < 1e15 else f"{value:.6g}"


_Line = tuple[str, str, str, float, str]


def _parameters(sheet: Sheet) -> Iterator[_Line]:
    section, counted = "Parameters", sheet.counts
    trained = [shape for shape in sheet.shapes if shape.trained]
    for shape in trained:
        yield section, _called(shape), _product(shape), shape.params, "param"
    yield section, "total", f"sum of [1] to [{len(trained)}]", counted.params, "param"
    idle = [place for place, shape in enumerate(trained, start=1) if shape.active != shape.copies]
    if idle:
        less = ", ".join(f"[{place}] x {_idle(trained[place - 1])}" for place in idle)
        yield section, "active", f"total less {less}", counted.active_params, "param"
    tables = [place for place, shape in enumerate(trained, start=1) if shape.part in TABLES]
    less = _bracketed(tables)
    yield section, "non-embedding", f"total less {less}" if less else "total", counted.non_embedding_params, "param"
    stored = [shape for shape in sheet.shapes if not shape.trained]
    for shape in stored:
        yield section, f"stored: {_called(shape)}", _product(shape), shape.params, "param"
    if stored:
        yield section, "stored", "total and what is stored beside it", counted.stored_params, "param"


def _idle(shape: Shape) -> str:
    return f"{shape.copies - shape.active}/{shape.copies}"


def _bracketed(places: Iterable[int]) -> str:
    return ", ".join(f"[{place}]" for place in places)


def _called(shape: Shape) -> str:
    return shape.name if shape.name.startswith(shape.part) else f"{shape.part}: {shape.name}"


def _product(shape: Shape) -> str:
    factors = [f"{shape.layers}"] if shape.layers > 1 else []
    factors += [f"{shape.copies} experts"] if shape.copies > 1 else []
    factors += [f"{shape.rows}"] if shape.columns == 1 else [f"{shape.rows} x {shape.columns}"]
    return " x ".join(factors)


def _flops(sheet: Sheet) -> Iterator[_Line]:
    spec, at = sheet.spec, sheet.at
    section = f"Forward FLOP per token at {at.sequence:,.0f} tokens, convention '{at.convention}'"
    scores = {one.part: one.flops for one in sheet.components if not one.params and one.part != "head"}
    total = sheet.work.forward[at.convention]
    if at.convention == "6nd":
        yield section, "forward", "2 FLOP x active parameters", total, "FLOP/token"
    else:
        matrices = total - sum(scores.values())
        yield section, "matrices", "2 FLOP for every number of a matrix that a token passes", matrices, "FLOP/token"
        if spec.encoder is None:
            full = at.convention == "full-attention"
            for times, mixer in _kinds(spec.stack.mixers()):
                each = mixer.mixing_flops(at.sequence, full=full)
                gives = "recurrence" if isinstance(mixer, Recurrent) else "attention scores"
                formula = f"{times} layers x {number(each)} ({mixer_words(mixer)})"
                yield section, gives, formula, times * each, "FLOP/token"
            scores = {part: value for part, value in scores.items() if part not in {"recurrence", "attention scores"}}
            for part, value in scores.items():
                yield section, part, "beside mixers and matrices", value, "FLOP/token"
        else:
            for part, value in scores.items():
                yield section, part, "averaged over tokens read and written", value, "FLOP/token"
        yield section, "forward", "the sum of these", total, "FLOP/token"
    yield section, "training", "3 x forward", sheet.work.training[at.convention], "FLOP/token"


def _state(sheet: Sheet) -> Iterator[_Line]:
    at, size = sheet.at, KV_BYTES[sheet.at.kv_dtype]
    section = f"Cache in {at.kv_dtype}"
    for times, mixer in _kinds(sheet.spec.stack.mixers()):
        if mixer.kv_elements:
            formula = f"{times} layers x {mixer.kv_elements} numbers x {size:g} bytes ({mixer_words(mixer)})"
            yield section, "a token", formula, times * mixer.kv_elements * size, "byte/token"


def _kinds(mixers: Iterable[tuple[int, Mixer]]) -> list[tuple[int, Mixer]]:
    """Equal mixers together, in the order in which they first appear."""
    times: dict[Mixer, int] = {}
    for many, mixer in mixers:
        times[mixer] = times.get(mixer, 0) + many
    return [(many, mixer) for mixer, many in times.items()]
