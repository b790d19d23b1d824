"""Chip-hours of published training runs, predicted from model, device, chips, tokens and year alone.

The rule, written down before any prediction was looked at:

- A run counts where its table states tokens, one device of the catalogue, one number of chips, and chip-hours or days;
  it is one training (no sum of several, no rumour); and its architecture is known: a preset, or a dense decoder whose
  size gives a usual shape. `published_hours.toml` names what a table cannot say of itself.
- Predicted: what practice takes (`training.practice_of`), goodput 90 %; a model whose own config has weights in fp8 is
  taken to have been trained so. No chip-hours of any run decide a constant: habits, batches, what steps reach and how
  far they scatter are those of measured steps (`practised`), so that nothing has to be left out to predict a run.
- Runs that state no chips are predicted for as many as take about 30 days, a power of two; they are shown apart and do
  not count.

Changed after looks at predictions, six of them in all:

- First: a batch is no smaller than a quarter of a sequence a chip; a number of chips that no layout divides is rounded
  down to a multiple of 64; hours of GPT-3 and BERT are taken from the table that states them.
- Second: the best layout with a factor from runs without chips became habits of the year. By then it was known that
  early runs were taken to be too fast and small models on many chips too.
- Third: FSDP is no habit above 100B parameters, is compiled from 2024, and TPUs have a habit of their own.
- Fourth: a mixture of experts without a preset counts, as a dense model of its active size; BERT's two runs do not: the
  tokens are those of GPT-3's table, near twice what the batches of BERT's own paper make, which states the hours.
- Fifth: figures of `practised` with all settings hidden in place of those with the batch known; interval by publisher.
- Sixth: mixtures of experts are drawn towards what steps reached as dense models are, less what experts cost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop import hardware
from isoflop.accuracy.software import year_of
from isoflop.errors import IsoflopError
from isoflop.kernel import chip_of
from isoflop.model import counts, describe, published
from isoflop.model.sizes import shape_for
from isoflop.quantity.toml_file import read_toml
from isoflop.training.practice import Asked, practice_of

if TYPE_CHECKING:
    from isoflop.hardware import Device
    from isoflop.model import ModelSpec
    from isoflop.model.names import Description
    from isoflop.model.published import Run as Published
    from isoflop.training.practice import Practised

FILE = Path(__file__).with_name("published_hours.toml")

MONTH = 30 * 86400.0
"""Seconds that a run lasted which does not say on how many chips."""

START = 0.35
"""Utilisation that the number of such chips is first taken from."""

LOW_FROM = 2024
"""The year from which runs are made in 8 bit."""

Use = Literal["counted", "chips unknown", "left out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A published run beside its prediction, in chip-seconds; `reason` says why there is none, or it does not count.

    `low` and `high` are 10 and 90 %. `flops` 6 N D; `peak` the dense 16-bit rate of the device; `layouts` the habits
    with their layouts, in words.
    """

    name: str
    maker: str
    device: str
    chips: float | None
    stated: float | None
    use: Use
    point: float | None = None
    low: float | None = None
    high: float | None = None
    flops: float | None = None
    peak: float | None = None
    layouts: str = ""
    shape: str = ""
    evidence: str = ""
    reason: str = ""


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What others computed that a run cost [USD], by three methods, and what ours takes for the same chips.

    `chip_capital` is a chip with its server [USD], `chip_power` its share of the server's power [W], `rent` a price of
    those years [USD an hour].
    """

    run: str
    device: str
    capital: float
    cloud: float
    purchase: float
    chip_capital: float
    chip_power: float
    rent: float
    source: str


def costs() -> tuple[Cost, ...]:
    """Published costs by several methods."""
    return msgspec.convert(read_toml(FILE)["cost"], tuple[Cost, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What stands for a run's architecture: where it is from, whether for a mixture of unknown shape, formats."""

    spec: ModelSpec
    said: str
    mixture: bool = False
    low: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a row says beside what published tables do: its architecture, sequence [tokens], batch [sequences]."""

    shape: Shape | None = None
    sequence: int | None = None
    batch: int | None = None


NOTHING = Said()


def hours_of(run: Published, said: Said = NOTHING) -> Hours:
    """The prediction of one run, or why there is none. Without stated hours it is made and does not count."""
    stated = run.use.chip_time or (run.use.chips or 0) * (run.use.time or 0) or None
    use: Use = "counted" if run.use.chips else "chips unknown"
    base = Hours(
        name=run.model, maker=run.organisation, device=run.use.device, chips=run.use.chips, stated=stated, use=use,
        evidence=run.evidence,
    )  # fmt: skip
    reason = _outside(run)
    if reason:
        return replace(base, use="left out", reason=reason)
    try:
        found = _predicted(run, base, hardware.device(run.use.device), said)
    except IsoflopError as error:
        return replace(base, use="left out", reason=str(error))
    unstated = "neither chip-hours nor chips and days are stated"
    return found if stated is not None else replace(found, use="left out", reason=unstated)


def _predicted(run: Published, base: Hours, device: Device, said: Said) -> Hours:
    shape = said.shape or shape_of(run)
    year = year_of(run.date, "", 2022)
    low = shape.low and year >= LOW_FROM and "fp8" in device.peak_rates
    asked = Asked(
        model=shape.spec, tokens=run.work.tokens or 0.0, year=year, sequence=said.sequence, batch=said.batch,
        matmul="fp8" if low else "",
    )  # fmt: skip
    found = _practised(run, asked, device, mixture=shape.mixture)
    if found is None:
        return replace(base, use="left out", reason="no usual layout fits, and no steps of such chips are known")
    return replace(
        base,
        point=found.chip_time,
        low=found.low,
        high=found.high,
        flops=6.0 * float(counts(shape.spec).active_params) * asked.tokens,
        peak=chip_of(device).rate("16"),
        layouts="; ".join(f"{one.habit}: {one.usual.layout.words()}" for one in found.tried),
        shape=shape.said,
    )


@cache
def _named(table: str) -> dict[str, str]:
    """What the file says of runs by name: reasons why they do not count, presets that the table does not name."""
    found = read_toml(FILE)[table]
    assert isinstance(found, dict)
    return {name: str(said) for name, said in found.items()}


def _outside(run: Published) -> str:
    """Why a run is not predicted, "" where it is, its model apart."""
    if run.work.tokens is None:
        return "no tokens are stated"
    if not run.use.device:
        return "no device is stated"
    return _named("left_out").get(run.model, "")


def shape_of(run: Published) -> Shape:
    """The architecture, and where it is from."""
    name = run.preset or _named("presets").get(run.model, "")
    if name:
        return described_shape(describe(name), "preset")
    params, active = run.work.params, run.work.active_params
    if params is None or active is None:
        raise _unknown("how many parameters a token meets is not stated")
    if active < 0.95 * params:
        return Shape(spec=shape_for(active), said="dense, of its active size", mixture=True)
    return Shape(spec=shape_for(params), said="by size")


def described_shape(described: Description, said: str) -> Shape:
    """The architecture of a preset or a config. Raises: an error where tokens pass an encoder and a decoder."""
    if described.spec.encoder is not None:
        raise _unknown("an encoder and a decoder: the table does not say which tokens pass which")
    written = described.reading.quantization if described.reading else None
    return Shape(spec=described.spec, said=said, low=(written or {}).get("quant_method") == "fp8")


def _unknown(reason: str) -> IsoflopError:
    return IsoflopError(reason)


def _practised(run: Published, asked: Asked, device: Device, *, mixture: bool) -> Practised | None:
    """On the chips that are stated; else on as many as take about a month, found in two rounds."""
    if run.use.chips:
        return practice_of(asked, device, round(run.use.chips), mixture=mixture)
    share, found = START, None
    flops = 6.0 * float(counts(asked.model).active_params) * asked.tokens
    for _ in range(2):
        wanted = flops / (share * chip_of(device).rate("16") * MONTH)
        found = practice_of(asked, device, 1 << max(3, round(log2(max(1.0, wanted)))), mixture=mixture)
        share = found.mfu if found is not None else START
    return found


@cache
def all_hours() -> tuple[Hours, ...]:
    """Every published run that states hours or energy; chips and hours of the table of energy where it has none."""
    others = {run.model: run.use for run in published.table("energy") if run.use.chips and run.use.time}
    energies = {run.model for run in published.table("energy")}
    found = []
    for run in published.runs():
        bare = run.use.chip_time is None and run.use.chips is None and run.model in others
        one = replace(run, use=others[run.model]) if bare else run
        if one.use.chip_time or one.use.time or one.model in energies:
            found.append(hours_of(one))
    return tuple(found)
