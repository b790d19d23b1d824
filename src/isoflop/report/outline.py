"""An Answer as ordered, written lines: what every drawing of a derivation shows, once.

Text, Markdown and HTML differ in marks only; which lines there are, in which order and in which words is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.report.words import percent, ratio_words, say, say_around, say_interval, signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.relation.answer import Answer, Check, Step

LEAVES = {"given": "Given", "computed": "Computed", "catalogue": "Catalogue", "default": "Assumed"}
"""Kinds of steps that nothing was computed for, in the order they are shown, with their headings."""

_DERIVED = "It follows"
_SMALLEST_SHARE = 0.005
_SMALLEST_ELASTICITY = 1e-6
_MOST_MOVERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step, written: `quantity` [= `formula`] = `value`, from the steps `inputs`; the value with its interval."""

    number: int
    quantity: str
    formula: str
    value: str
    inputs: tuple[int, ...]
    sources: tuple[str, ...]
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Steps of one kind under their heading."""

    heading: str
    lines: tuple[Line, ...]


def headline(answer: Answer) -> str:
    """The result: `params = 1.14T`; several roots are all named, each with its interval: `params = 992M or 28.4B`."""
    if not answer.alternatives:
        return f"{answer.quantity} = {say(answer.value, answer.quantity)}"
    roots = (say_around(one.value, one.low, one.high, one.quantity) for one in (answer, *answer.alternatives))
    return f"{answer.quantity} = {' or '.join(roots)}"


def interval_words(answer: Answer) -> str:
    """The interval with its level, nothing for a point or where the headline has it: `90 %: 0.86T to 1.44T`."""
    if answer.is_point or answer.alternatives:
        return ""
    ends = say_interval(answer.low, answer.high, answer.quantity, hard=answer.hard)
    return f"bounds: {ends}" if answer.hard else f"{percent(answer.interval)}: {ends}"


def groups(answer: Answer) -> tuple[Group, ...]:
    """The derivation, leaves first: given, catalogue, assumed, then what follows from them."""
    return groups_of(answer.steps)


def groups_of(steps: Iterable[Step]) -> tuple[Group, ...]:
    """The same of any steps."""
    held = tuple(steps)
    made = [
        Group(heading=heading, lines=tuple(_line(step) for step in held if step.kind == kind))
        for kind, heading in LEAVES.items()
    ]
    made.append(Group(heading=_DERIVED, lines=tuple(_line(step) for step in held if step.kind not in LEAVES)))
    return tuple(group for group in made if group.lines)


def _line(step: Step) -> Line:
    value = say_around(step.value, step.low, step.high, step.gives)
    written = "" if _same(step.text, value) or not step.text else f"as '{step.text}'"
    how = "" if step.kind in LEAVES or step.kind == "identity" else _kind_words(step.kind)
    return Line(
        number=step.number,
        quantity=step.gives,
        formula="" if step.kind in LEAVES else step.formula,
        value=value,
        inputs=tuple(dict.fromkeys(number for _, number in step.inputs)),
        sources=step.sources,
        remark="; ".join(part for part in (written, how, step.note) if part),
    )


def _kind_words(kind: str) -> str:
    words = {
        "empirical": "fitted law",
        "rule": "rule of thumb",
        "solve": "solved together",
        "ledger": "sum of terms",
    }
    return words.get(kind, kind)


def _same(text: str, value: str) -> bool:
    """Whether what was written and what is shown differ in spaces, commas and capitals only."""
    plain = (one.replace(" ", "").replace(",", "").lower() for one in (text, value))
    return next(plain) == next(plain)


def stands_on(answer: Answer) -> tuple[tuple[str, str], ...]:
    """The leaves in short, a heading each: what was given, what the catalogue says, what is assumed."""
    return tuple(
        (heading, ", ".join(_short(step) for step in leaves))
        for kind, heading in LEAVES.items()
        if (leaves := [step for step in answer.steps if step.kind == kind])
    )


def _short(step: Step) -> str:
    """A leaf in a list; how a given value was read is said there too, for it may not be what was meant."""
    written = f"{step.gives} = {say_around(step.value, step.low, step.high, step.gives)}"
    return _with_remark(written, step.note) if step.kind == "given" else written


def movers(answer: Answer) -> str:
    """What the result depends on most: parts of its variance where it is uncertain, else elasticities."""
    if answer.shares and not answer.is_point:
        top = _largest(answer.shares, _SMALLEST_SHARE)
        text = ", ".join(f"{name} {percent(share)}" for name, share in top)
        return f"{text} of the variance" if text else ""
    top = _largest(answer.elasticities, _SMALLEST_ELASTICITY)
    text = ", ".join(f"{name} {signed(power)} %" for name, power in top)
    return f"1 % more of each brings: {text}" if text else ""


def _largest(parts: Mapping[str, float], floor: float) -> list[tuple[str, float]]:
    ordered = sorted(parts.items(), key=lambda part: (-abs(part[1]), part[0]))
    return [part for part in ordered if abs(part[1]) >= floor][:_MOST_MOVERS]


def check_words(check: Check) -> str:
    """A check as a sentence: `tokens: 0.18 times 20 · params; rule of thumb`."""
    said = f"{check.quantity}: {ratio_words(check.ratio)} {check.formula}"
    return f"{said}; {check.note}" if check.note else said


def _with_remark(text: str, remark: str) -> str:
    return f"{text} ({remark})" if remark else text
