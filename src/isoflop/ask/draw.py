"""What the machines of a plan draw: their boards by how busy the plan keeps them, as an account of a run has it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.quantity import Centred
from isoflop.training.power import board_share, machine_ratio

if TYPE_CHECKING:
    from isoflop.ask.bind import Question
    from isoflop.ask.utilisation import Place

FULL = 0.995
"""Share of the TDP from which a board is at full load: the ratio is then as it was."""


def with_power(question: Question, place: Place | None, goodput: float) -> Question:
    """The question whose power ratio is that of boards at its utilisation while steps are made.

    As it was where a ratio was given, or nothing is known of the utilisation or the device. Utilisation is of the
    device's 16-bit peak, which boards were measured against.
    """
    mfu, peak, ratio = (question.fact(key) for key in ("mfu", "peak_rate", "power_ratio"))
    if place is None or mfu is None or peak is None or ratio is None or not isinstance(ratio.spread, Centred):
        return question
    try:
        busy = mfu.spread.median / goodput * peak.spread.median / place.chip.rate("16")
    except MissingData:
        return question
    share = board_share(busy)
    if ratio.rank != "default" or share > FULL:
        return question
    own = ratio.spread
    value, low, high = (machine_ratio(one, share) for one in (own.median, own.low, own.high))
    spread = Centred(value, low, high, own.shape)
    note = f"{ratio.note}; boards draw {share:.0%} of the TDP at {busy:.0%} of the peak"
    return question.with_facts(replace(ratio, spread=spread, note=note))
