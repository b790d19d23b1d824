"""Measured steps with all their settings hidden, against what practice is taken to be.

By how much they take longer, how far they scatter, what utilisation they reached: the constants of
`training/practice.toml` are these figures. Predicted is from model, device, number of chips and year alone. Counted are
steps in 16 bit of sequences up to 8,192 tokens on 8 chips and more. Each publisher counts alike; what makers of chips
publish of their own, who tune most, widens the scatter and decides nothing else. Left out are steps of runs whose
chip-hours are predicted (`published_hours`), and vTrain's, of models that nobody trains on that many chips.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop import hardware
from isoflop.accuracy.apart import family_of
from isoflop.accuracy.runs import Contradiction, cases_of
from isoflop.accuracy.software import software_of, usual_software, year_of
from isoflop.errors import IsoflopError
from isoflop.kernel import chip_of
from isoflop.model import counts
from isoflop.training.practice import Asked, bottom_up, tried

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.accuracy.rows import Row
    from isoflop.accuracy.shapes import Known

ROWS = Path(__file__).with_name("rows") / "training.csv"
MOST_SEQUENCE, LEAST_CHIPS, LEAST_PARAMS = 8192, 8, 1e9
MAKERS = ("NVIDIA/dgxc", "NVIDIA-NeMo", "NVIDIA/NeMo", "docs.nvidia.com", "AI-Hypercomputer")
LEFT_OUT = ("vTrain", "megatron-turing-nlg", "LLaMA paper", "Llama 3 Herd")
LEVEL = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A measured step: what it reached of the peak (of 6 FLOP a parameter and token), and what practice would."""

    source: str
    maker: bool
    architecture: str
    early: bool
    experts: bool
    params: float
    mfu: float
    practice: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Of steps with or without experts: sources, how much longer (median of sources), the factor that 80 % stay in."""

    experts: bool
    sources: int
    steps: int
    longer: float
    wide: float


def practised(rows: Sequence[Row], library: tuple[Known, ...]) -> tuple[Step, ...]:
    """Every step that counts, predicted without its layout; rows that cannot be read are left out."""
    found = []
    for row in rows:
        try:
            one = _step(row, library)
        except (IsoflopError, Contradiction):
            continue
        found += [one] if one is not None else []
    return tuple(found)


def _step(row: Row, library: tuple[Known, ...]) -> Step | None:
    settings, measured = row.settings, row.measured.step_time
    if not measured or settings.precision not in {"bf16", "fp16"} or any(name in row.source for name in LEFT_OUT):
        return None
    chips = settings.n_gpus or 0
    run = cases_of(settings, library).cases[0].run
    if chips < LEAST_CHIPS or run.sequence > MOST_SEQUENCE:
        return None
    device = hardware.device(settings.gpu)
    software = software_of(settings.framework, settings.dp_shard) or usual_software()
    year = year_of(settings.framework, settings.software_era, software.year)
    asked = Asked(model=run.model, tokens=1.0, year=year)
    share = bottom_up(tried(asked, device, chips))
    if share is None:
        return None
    counted, chip = counts(run.model), chip_of(device)
    flops = 6.0 * counted.active_params * run.batch * run.sequence
    return Step(
        source=family_of(row.source),
        maker=row.source.startswith(MAKERS),
        architecture=chip.architecture,
        early=year <= 2022,
        experts=bool(settings.experts),
        params=counted.params,
        mfu=flops / (chips * chip.rate("16") * measured),
        practice=share,
    )


def scatters(steps: Sequence[Step]) -> tuple[Scatter, ...]:
    """How measured steps lie about what practice is taken to be, dense models and mixtures apart."""
    found = []
    for experts in (False, True):
        own = [one for one in steps if one.experts == experts]
        by_source = {
            name: [log(one.practice / one.mfu) for one in own if one.source == name]
            for name in dict.fromkeys(one.source for one in own)
        }
        makers = {one.source for one in own if one.maker}
        kept = [name for name in by_source if experts or name not in makers]
        middle = float(np.median([np.median(by_source[name]) for name in kept]))
        off = [(abs(value - middle), 1 / len(values)) for values in by_source.values() for value in values]
        off.sort()
        weights = np.cumsum([weight for _, weight in off])
        wide = float(np.interp(LEVEL, weights / weights[-1], [value for value, _ in off]))
        found.append(
            Scatter(experts=experts, sources=len(by_source), steps=len(own), longer=exp(middle), wide=exp(wide))
        )
    return tuple(found)


def reached(steps: Sequence[Step]) -> dict[tuple[str, bool], float]:
    """(architecture, whether up to 2022) -> the median over sources of the share that dense models of 1B up reached."""
    own = [one for one in steps if not one.experts and not one.maker and one.params >= LEAST_PARAMS]
    found = {}
    for key in dict.fromkeys((one.architecture, one.early) for one in own):
        of = [one for one in own if (one.architecture, one.early) == key]
        medians = [np.median([one.mfu for one in of if one.source == name]) for name in {one.source for one in of}]
        found[key] = float(np.median(medians))
    return found
