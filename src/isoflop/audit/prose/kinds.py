"""The kind of a unit in running text: its base unit, with FLOPS left open where it can be work or a rate."""

from __future__ import annotations

import re
from functools import lru_cache

from isoflop.errors import BadInput
from isoflop.quantity.units import Unit, readings

EITHER = "FLOP?"
"""The kind of an amount whose unit can be FLOP or FLOP/s."""


@lru_cache(maxsize=4096)
def kind_of(unit: str) -> tuple[str, float, Unit | None]:
    """The kind, the scale and the unit that a unit's text stands for; ("#other", 1, None) for what has no meaning."""
    fixed = unit
    if "FLOPS/s" in unit:
        fixed = unit.replace("FLOPS/s", "FLOP/s")  # "teraFLOPS per second": the S already says it
    if re.match(r"[kMGTPEZY]?FLOPS? (?:day|h|year|month|week|s|min)", fixed):
        fixed = re.sub(r"FLOPS?", "FLOP/s", fixed, count=1)  # petaFLOP-days are of a rate
    match = re.fullmatch(r"([kMGTPEZY]?FLOP/s) (day|h|year|month|week|s|min)", fixed)
    try:
        if match:
            rate, time = readings(match[1])[0], readings(match[2])[0]
            return (
                "FLOP",
                rate.scale * time.scale,
                Unit(dims=(("FLOP", rate.dims[0][1]),), scale=rate.scale * time.scale, text=fixed),
            )
        found = [one for one in readings(fixed) if not one.hidden]
    except BadInput:
        return "#other", 1.0, None
    first = found[0]
    parsed = Unit(dims=first.dims, scale=first.scale, text=fixed)
    if first.even and len(found) > 1:
        kinds = {Unit(dims=one.dims).base.text: one for one in found}
        kind = EITHER if kinds.keys() == {"FLOP", "FLOP/s"} else _rate_first(list(kinds))
        chosen = kinds["FLOP/s" if kind == EITHER else kind]
        return kind, chosen.scale, Unit(dims=chosen.dims, scale=chosen.scale, text=_said_plainly(fixed, kind))
    return parsed.base.text, first.scale, parsed


def _said_plainly(text: str, kind: str) -> str:
    """FLOPS as it was read: FLOP for work, FLOP/s for a rate."""
    return text.replace("FLOPS", "FLOP/s" if kind == EITHER or "/s" in kind else "FLOP")


def _rate_first(kinds: list[str]) -> str:
    """FLOPS in a quotient: per token, parameter or dollar it is work, per chip it is a rate."""
    for kind in kinds:
        if ("/s" in kind) == ("token" not in kind and "param" not in kind and "$" not in kind):
            return kind
    return kinds[0]


STOP = frozenset(
    """of in for with and to on at is are was were that the over from by which or vs than as into during has have had
it its this these those be been not no but if while when we they you i there per using used uses need needs
takes take require requires cost costs only about around each a an can could would will may might then so
because after before between versus against like roughly approximately nearly almost out off up down across""".split()  # noqa: SIM905 (a list of so many words reads worse)
)
"""Words that are no adjectives: a counted noun behind them is not of the number before them."""
