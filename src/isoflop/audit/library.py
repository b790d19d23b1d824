"""Holds steps that say what they are (`is = "train_flops"`) against the library's formulas for that quantity.

A step is computed again by the book from the quantities it is built on, and only from those. Where the book lacks a
utilisation for that, the step is tried with 100 %: if that gives what the step gives, it was forgotten. Constants that
are choices (bytes a parameter, PUE) prove nothing, and a step that rests on one is left alone.
"""

from __future__ import annotations

import re
from math import log
from typing import TYPE_CHECKING

from isoflop.ask.assumptions import facts as assumed
from isoflop.ask.solver import BOOK_SYSTEM
from isoflop.audit.amounts import tie, tie_factor
from isoflop.audit.document import Amendment, Finding
from isoflop.audit.napkin import find_quantity
from isoflop.audit.words import said, times
from isoflop.errors import IsoflopError, close_matches
from isoflop.quantity import Centred, Point, quantities, quantity
from isoflop.relation import Fact, solve_point

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.document import Class, Document, Level
    from isoflop.audit.engine import Recalculated
    from isoflop.quantity import Quantity, Spread

FIRM = frozenset({
    "flops_per_param_token", "forward_flops_per_param_token", "active_share", "flops_per_mac",
    "cached_vectors_per_token", "flops_per_operation", "loss_unit",
})  # fmt: skip
"""Constants of relations that are no choice: a step that has another one is wrong, or must say why."""

MOST = 500
"""Steps that are held against the library; a napkin has twenty."""

_AGREES = 0.04
_TRAINING = re.compile(r"(?<![a-z])(?:pre-?)?train(?:s|ed|ing)?(?![a-z])", re.IGNORECASE)
_INFERENCE = re.compile(r"forward|inference|infer|serv|prefill|decod|generat|prompt", re.IGNORECASE)
_RULES = ("flops_per_param_token", "forward_flops_per_param_token")
_UTILISATIONS = ("mfu", "serve_mfu", "bandwidth_efficiency")
_SHARES = frozenset({"mfu", "hfu", "serve_mfu", "utilisation", "goodput"})


def check_library(steps: Mapping[str, Recalculated], document: Document) -> Iterator[Finding]:
    """Findings of the level world for steps whose `is` the book computes otherwise, and shares above 1."""
    tried = 0
    for found in steps.values():
        entry = quantity_of(found, document)
        if entry is None:
            if found.step.quantity:
                yield _unknown(found)
            continue
        yield from _domain(found, entry.name)
        if found.is_root or not found.own or found.clash or tried >= MOST:
            continue
        tried += 1
        yield from _against_book(found, entry.name, steps, document)


def quantity_of(found: Recalculated, document: Document) -> Quantity | None:
    """What a step is: by `is`, else by a name that is a quantity's own, in that quantity's unit.

    Work that is computed in a document of training is that of training, unless it says otherwise.
    """
    if found.step.quantity:
        return find_quantity(found.step.quantity)
    unit = found.said_unit or found.unit
    if unit is None:
        return None
    names = (found.step.label, *(("train_flops",) if not found.is_root and _is_training(found, document) else ()))
    entries = [entry for name in names if (entry := quantities().get(name)) is not None]
    return next((entry for entry in entries if tie(unit, document.nouns).same_kind(entry.unit)), None)


def _is_training(found: Recalculated, document: Document) -> bool:
    """Whether a document of training computes something that it does not say is for inference."""
    own = f"{found.step.label} {found.step.words}"
    return bool(_TRAINING.search(f"{document.name} {own}")) and not _INFERENCE.search(own)


def _unknown(found: Recalculated) -> Finding:
    matches = close_matches(found.step.quantity, quantities())
    meant = f"; is {' or '.join(matches)} meant?" if matches else "; the names are listed by: isoflop quantities"
    reason = f"is = '{found.step.quantity}' is no quantity of the library, and was not checked{meant}"
    return Finding(step=found.step.number, span=found.step.span, level="note", kind="unsupported", reason=f"{reason}.")


def _domain(found: Recalculated, name: str) -> Iterator[Finding]:
    value, domain = found.value, quantity(name).domain
    if value is None or found.wrong or (found.wrong_below and found.roots is not None and 0 < found.roots <= 1):
        return  # it is what an earlier slip makes of it
    if domain == "fraction" and value > 1 + _AGREES:
        kind: Class = "utilisation_above_one" if name in _SHARES else "domain"
        reason = f"{name} is {100 * value:.3g} %; a share cannot exceed 100 %."
    elif domain != "real" and value <= 0:
        kind, reason = "domain", f"{name} is {value:.3g}; it must be positive."
    else:
        return
    yield Finding(
        step=found.step.number, span=found.step.span, level="world", kind=kind, reason=reason, says=value,
        unit=found.said_unit,
    )  # fmt: skip


def _against_book(
    found: Recalculated, name: str, steps: Mapping[str, Recalculated], document: Document
) -> Iterator[Finding]:
    knowns = _built_on(found, steps, document)
    if not knowns or name in knowns or name in _quantities_of_inputs(found, steps, document):
        return
    own = found.own
    assert own is not None
    due = _by_book(name, knowns)
    if due is not None:
        if abs(log(own / due)) > _AGREES if own / due > 0 else True:
            yield _other(found, name, own, due, document)
        return
    for share in _UTILISATIONS:
        due = None if share in knowns else _by_book(name, {**knowns, share: 1.0})
        half = None if due is None else _by_book(name, {**knowns, share: 0.5})
        if due and half and own / due > 0 and abs(log(own / due)) <= _AGREES:
            yield _unused(found, share, half < due)
            return


def _built_on(found: Recalculated, steps: Mapping[str, Recalculated], document: Document) -> dict[str, float] | None:
    """The quantities next to a step that it is computed from, each once; None where one is not named."""
    knowns: dict[str, float] = {}
    waiting = [(found, key) for key in found.step.inputs]
    for count, (holder, key) in enumerate(waiting):
        given = holder.step.inputs[key]
        before = steps.get(given.step)
        if before is None:
            continue  # an amount written in the expression: what the library has a constant for
        entry = quantity_of(before, document)
        if entry is not None and entry.name in _quantities_of_inputs(before, steps, document):
            entry = None  # a peak times a share is no peak
        value = holder.values.get(key)
        if before.is_root and _is_rule(before, entry, document):
            continue
        if entry is None and before.wrong:
            return None  # its slip is reported there
        if entry is None and before.step.inputs and count < MOST:
            waiting += [(before, inner) for inner in before.step.inputs]
        elif entry is None or value is None or knowns.get(entry.name, value) != value:
            return None
        else:
            knowns[entry.name] = value
    return knowns


def _quantities_of_inputs(found: Recalculated, steps: Mapping[str, Recalculated], document: Document) -> frozenset[str]:
    behind = (steps[one.step] for one in found.step.inputs.values() if one.step in steps)
    entries = (quantity_of(one, document) for one in behind)
    return frozenset(entry.name for entry in entries if entry is not None)


def _is_rule(found: Recalculated, entry: Quantity | None, document: Document) -> bool:
    """Whether a root is the FLOP of a parameter and token: a constant of the book, which it is held against."""
    if entry is not None:
        return entry.name in _RULES
    unit = found.said_unit
    return unit is not None and tie(unit, document.nouns).same_kind(quantity(_RULES[0]).unit)


def _by_book(name: str, knowns: Mapping[str, float]) -> float | None:
    """The quantity by the book from these alone; None where they do not determine it, or a choice comes in."""
    facts = [Fact(quantity=key, spread=Point(value)) for key, value in knowns.items()]
    try:
        values, leaves = solve_point(BOOK_SYSTEM, facts, (name,))
    except IsoflopError:
        return None
    return values.get(name) if leaves <= knowns.keys() | FIRM else None


def _other(found: Recalculated, name: str, own: float, due: float, document: Document) -> Finding:
    ratio = own / due
    kind, level, why = _why(ratio, name)
    unit = found.said_unit or found.unit
    shown = said(due / tie_factor(unit, document.nouns), unit) if unit is not None else said(due, None)
    reason = f"By the library's formula for {name} its inputs give {shown}; the expression is {times(ratio)}{why}."
    amends = (Amendment(step=found.step.number, factor=Point(1 / ratio), words=f"{name} by the library's formula"),)
    return Finding(
        step=found.step.number,
        span=found.step.span,
        level=level,
        kind=kind,
        reason=reason,
        factor=ratio,
        says=own,
        recomputed=due,
        unit=None if unit is None else tie(unit, document.nouns).base,
        amends=amends if level == "world" else (),
    )


def _why(ratio: float, name: str) -> tuple[Class, Level, str]:
    size = max(ratio, 1 / ratio) if ratio > 0 else 0.0
    training = not name.startswith(("serve", "decode", "prefill", "forward"))
    if abs(size - 3) < 3 * _AGREES:
        if training:
            words = "a forward pass takes 2 FLOP for each parameter and token, training 6"
        else:
            words = "training takes 6 FLOP for each parameter and token, a forward pass 2"
        return "forward_for_training", "world", f"; likely {words}"
    if abs(size - 2) < 2 * _AGREES:
        return "mac_for_flop", "world", "; likely multiply-accumulates taken for FLOP, of which each is two"
    if abs(size - 4 / 3) < _AGREES:
        return "convention", "note", ": recomputation is counted, 8 FLOP for each parameter and token in place of 6"
    return "library_relation", "world", ""


def _unused(found: Recalculated, share: str, rises: bool) -> Finding:  # noqa: FBT001 - which way it goes is all there is
    spread = usual(share)
    reason = f"No utilisation: this takes the peak as if it were reached ({share} = 100 %)."
    amends: tuple[Amendment, ...] = ()
    recomputed = None
    if spread is not None and found.own is not None:
        mended = spread if rises else inverse(spread)
        amends = (Amendment(step=found.step.number, factor=mended, words=utilisation_words(share, spread)),)
        recomputed = found.own * mended.median
    return Finding(
        step=found.step.number,
        span=found.step.span,
        level="world",
        kind="utilisation_missing",
        reason=reason,
        factor=found.own / recomputed if found.own is not None and recomputed else None,
        says=found.own,
        recomputed=recomputed,
        amends=amends,
    )


def utilisation_words(share: str, spread: Spread) -> str:
    """What an amendment by a utilisation is called.

    >>> utilisation_words("mfu", Point(0.4))
    'at an MFU of 40 %'
    """
    within = "" if spread.is_point else f" ({100 * spread.low:.0f} to {100 * spread.high:.0f} %)"
    return f"at an {share.upper()} of {100 * spread.median:.0f} %{within}"


def inverse(spread: Spread) -> Spread:
    """1 / what is spread."""
    if spread.is_point or spread.low <= 0:
        return Point(1 / spread.median)
    return Centred(1 / spread.median, 1 / spread.high, 1 / spread.low)


def usual(share: str) -> Spread | None:
    """What a utilisation usually is, with its spread, where the library assumes one."""
    return next((fact.spread for fact in assumed() if fact.quantity == share), None)
