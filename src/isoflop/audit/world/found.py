"""How the checks against the world say what they find: one way to make a finding, and what a factor may come from."""

from __future__ import annotations

import re
from math import isfinite, log, sqrt
from typing import TYPE_CHECKING

from isoflop.audit.document import Class, Finding, Level, Span
from isoflop.quantity import quantities, quantity, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Fact
    from isoflop.audit.prose.text import Sentence
    from isoflop.quantity import Real, Unit

NEAR = 0.09
"""How near a ratio lies to a known slip's, in logs."""

_UNITS = {
    "words": "words",
    "data_tokens": "tokens",
    "rate": "peak_rate",
    "bandwidth": "memory",
    "power": "chip_power",
    "forward_flops": "train_flops",
    "throughput": "tokens_per_second",
    "throughput_per_chip": "tokens_per_second_per_chip",
    "bytes_per_param": "weight_bytes_per_param",
}
_BYTES = frozenset({"weight_bytes", "train_state_bytes", "memory"})
"""Shown in decimal units, as running text has them."""

_DENIED = re.compile(
    r"\b(?:not|never|isn't|wasn't|doesn't|didn't|don't|cannot|can't|myth|wrong|wrongly|incorrect\w*|false|falsely|"
    r"instead of|rather than|contrary|no longer|mistaken\w*|erroneous\w*|naive\w*|even if|suppose|imagine|"
    r"if (?:only|it|they|we|you|one) (?:had|were|was)|hypothetical\w*|would have|would need|fictional|let's say)\b"
    r"[^.;]{0,60}$",
    re.IGNORECASE,
)


def finding(  # noqa: PLR0913 (a finding has that many parts)
    sentence: Sentence,
    amount: Amount | None,
    kind: Class,
    reason: str,
    *,
    says: float | None = None,
    recomputed: float | None = None,
    factor: float | None = None,
    level: Level = "world",
    unit: Unit | None = None,
    others: tuple[str, ...] = (),
) -> Finding:
    """A finding at an amount of a sentence; `factor` is says / recomputed where it is not given."""
    line = sentence.line_of(amount.start) if amount else sentence.line
    if factor is None and says and recomputed:
        factor = says / recomputed
    return Finding(
        step=f"L{line}",
        span=Span(line=line, start=amount.start if amount else 0, end=amount.end if amount else len(sentence.text)),
        level=level,
        kind=kind,
        reason=reason,
        factor=factor if factor is None or isfinite(factor) else None,
        says=says,
        recomputed=recomputed,
        unit=unit,
        others=others,
    )


def of_fact(
    fact: Fact,
    kind: Class,
    reason: str,
    recomputed: float | None,
    *,
    level: Level = "world",
    factor: float | None = None,
) -> Finding:
    """A finding at a fact, its value the middle of what it says."""
    entry = quantities().get(_UNITS.get(fact.role, fact.role))
    return finding(
        fact.sentence,
        fact.amount,
        kind,
        reason,
        says=middle(fact.amount),
        recomputed=recomputed,
        level=level,
        factor=factor,
        unit=entry.unit if entry else None,
    )


def by(relation: Callable[..., Real], *values: float) -> float:
    """What a formula of the book gives on plain numbers."""
    return float(relation(*values))


def middle(amount: Amount) -> float:
    """The one value that an amount stands for: its middle, geometric where it is a range of words."""
    return sqrt(amount.low * amount.high) if amount.low > 0 else amount.value


def shown(value: float, role: str) -> str:
    """A value of a role in its usual unit."""
    name = _UNITS.get(role, role)
    if role in _BYTES or role == "bandwidth":
        each = "/s" if role == "bandwidth" else ""
        return f"{value / 1e12:.4g} TB{each}" if value >= 1e12 else f"{value / 1e9:.4g} GB{each}"
    return write(value, quantity(name)) if name in quantities() else f"{value:.3g}"


def near(ratio: float, target: float, within: float = NEAR) -> bool:
    """Whether a ratio is a known one, within a tenth or so."""
    return ratio > 0 and abs(log(ratio / target)) <= within


def power_of_ten(ratio: float) -> int:
    """The power of ten that a ratio is within 15 %, 0 for none."""
    if not ratio > 0:
        return 0
    power = round(log(ratio) / log(10))
    return power if power and abs(log(ratio) - power * log(10)) < 0.16 else 0


def slip_of(ratio: float) -> tuple[Class, str] | None:
    """What a factor is likely from where nothing else is known: a prefix, a decimal place."""
    power = power_of_ten(ratio)
    if not power:
        return None
    side = "much" if power > 0 else "little"
    if power % 3 == 0:
        return (
            "prefix",
            f"likely a prefix: {'a thousand times ' if abs(power) == 3 else f'1e{abs(power)} times '}too {side}",
        )
    return "decimal_slip", f"likely a decimal slip of 1e{abs(power)}"


def is_denied(fact: Fact) -> bool:
    """Whether the text itself takes the figure back, or only supposes it."""
    return bool(_DENIED.search(fact.sentence.text[: fact.amount.start]))


def one_of(ratio: float, slips: tuple[tuple[float, Class, str], ...]) -> tuple[Class, str] | None:
    """The first of some slips whose factor a ratio is."""
    return next(((kind, words) for target, kind, words in slips if near(ratio, target)), None)
