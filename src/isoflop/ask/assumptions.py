"""What is assumed where nobody says otherwise and the choice is not a relation's own constant."""

from __future__ import annotations

from isoflop.quantity import Centred
from isoflop.relation import Fact

MFU_MEDIAN, MFU_GEOMETRIC_SD = 0.318, 1.44
"""Model FLOP utilisation over the 70 published runs with known chip-hours: median and geometric standard deviation."""

MFU_SOURCE = "published-runs"

_NORMAL_90 = 1.6448536269514722


def facts() -> tuple[Fact, ...]:
    """Defaults of rank `default`: used only where a quantity is needed and nothing determines it."""
    spread = MFU_GEOMETRIC_SD**_NORMAL_90
    mfu = Centred(MFU_MEDIAN, MFU_MEDIAN / spread, MFU_MEDIAN * spread, "logit")
    return (
        _assumed("mfu", mfu, MFU_SOURCE, "the median of 70 published runs"),
        _assumed("power_ratio", Centred(1.1, 1.0, 2.0, "lognormal"), "patterson2021", "measured: V100 1.1, TPU v4 2.0"),
        _assumed("pue", Centred(1.1, 1.05, 1.6, "lognormal"), "patterson2021", "large operators 1.1, others up to 1.6"),
    )


def _assumed(quantity: str, spread: Centred, source: str, note: str) -> Fact:
    return Fact(quantity=quantity, spread=spread, rank="default", source=source, note=note)
