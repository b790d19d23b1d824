"""Chains against the world: what is cited, tokens that are taken for information, forward passes taken for training."""

from __future__ import annotations

from math import log, log2
from typing import TYPE_CHECKING

from isoflop.audit.document import Amendment, Document, Evaluated, Finding, Step
from isoflop.audit.words import times
from isoflop.quantity import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.quantity import Value

_BITS = {"byte": 8.0, "nat": 1 / log(2)}


def citations(document: Document, evaluated: Evaluated) -> Iterator[Finding]:
    """Assumptions whose value is none of those that the statements they cite have of its kind."""
    del evaluated
    steps = document.by_number()
    for step in document.steps:
        if step.kind != "assumption" or step.says is None or step.expr is not None:
            continue
        cited = [steps[number] for number in step.cites if number in steps and steps[number].kind == "statement"]
        others = [
            value
            for one in cited
            for value in (*((one.says,) if one.says else ()), *one.also)
            if _kind(value) == _kind(step.says)
        ]
        if not others or any(_agrees(step.says, value, document) for value in others):
            continue
        yield _cited(step, cited[0], min(others, key=lambda value: _apart(step.says, value)))


def _kind(value: Value) -> str:
    """The unit of a value without the nouns it is counted in."""
    kind = value.unit.base.text
    for noun in ("slice", "chip", "core", "node", "word"):
        kind = kind.replace(f"/{noun}", "")
    return "1" if kind in {"word", "token"} and value.spread.median < 1e7 else kind


def _agrees(value: Value, other: Value, document: Document) -> bool:
    del document
    low, high = other.spread.low * (1 - other.slack - 0.02), other.spread.high * (1 + other.slack + 0.02)
    return low <= value.spread.high * (1 + value.slack) and value.spread.low * (1 - value.slack) <= high


def _apart(value: Value | None, other: Value) -> float:
    if value is None or value.spread.median <= 0 or other.spread.median <= 0:
        return 1e9
    return abs(log(value.spread.median / other.spread.median))


def _cited(step: Step, cited: Step, nearest: Value) -> Finding:
    assert step.says is not None
    ratio = step.says.spread.median / nearest.spread.median if nearest.spread.median else 0.0
    return Finding(
        step=step.number,
        span=step.span,
        level="world",
        kind="citation",
        reason=f"It cites ({cited.number}), which says {nearest.text}: {step.says.text} is {times(ratio)}.",
        factor=ratio or None,
        says=step.says.spread.median,
        recomputed=nearest.spread.median,
        unit=step.says.unit.base,
    )


def information(document: Document, evaluated: Evaluated) -> Iterator[Finding]:
    """Tokens times vocabulary taken for bits: a token of V possible ones holds at most log2 V bits."""
    del evaluated
    steps = document.by_number()
    for step in document.steps:
        if step.expr is None or step.says is None or step.says.unit.base.text not in _BITS:
            continue
        if step.expr.op != "*" or len(step.inputs) != 2:
            continue
        tokens, vocabulary = None, None
        for given in step.inputs.values():
            before = steps.get(given.step)
            value = given.written or (before.says if before else None)
            if value is None:
                continue
            words = f"{given.words} {before.text if before else ''}".lower()
            if value.unit.base.text == "token" and value.spread.median > 1e6:
                tokens = value.spread.median
            elif "vocab" in words or (before is not None and before.quantity == "vocabulary"):
                vocabulary = value.spread.median
        if tokens is None or vocabulary is None or vocabulary < 2:
            continue
        yield _information(step, tokens, vocabulary)


def _information(step: Step, tokens: float, vocabulary: float) -> Finding:
    assert step.says is not None
    bits = tokens * log2(vocabulary)
    per = _BITS[step.says.unit.base.text]
    says = step.says.spread.median
    ratio = says * per / bits
    reason = (
        f"Tokens times vocabulary is no number of bits: one of {vocabulary:,.6g} tokens holds at "
        f"most log2 of that, {log2(vocabulary):.4g} bits, together {bits:.3g} bits; this is "
        f"{times(ratio)}."
    )
    return Finding(
        step=step.number,
        span=step.span,
        level="world",
        kind="information",
        reason=reason,
        factor=ratio,
        says=says,
        recomputed=bits / per,
        unit=step.says.unit.base,
        amends=(
            Amendment(
                step=step.number,
                factor=Point(bits / per / (tokens * vocabulary)),
                words="at the most information that tokens hold",
            ),
        ),
    )
