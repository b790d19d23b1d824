"""Chip-hours of published training runs, predicted from model, device, chips, tokens and year alone.

The rule, written down before any prediction was looked at:

- A run counts where its table states tokens, one device of the catalogue, one number of chips, and chip-hours or days;
  it is one training (no sum of several, no rumour); and its architecture is known: a preset, or a dense decoder whose
  size gives a usual shape. Encoder-decoders and mixtures without a preset do not count: the table does not say what
  their tokens pass through. `published_hours.toml` names what a table cannot say of itself.
- Predicted: the fastest of the usual layouts (`training.usual_layout`) with software of the year of the run, 16-bit
  formats, sequences of at most 4,096 tokens (the model's context where shorter), the batch that `plan` would take, and
  a goodput of 90 %. Chip-hours as stated hold failures and restarts, so predicted ones do.
- Changed after the first look, for what was wrong and not for what was far off: a batch is no smaller than a quarter
  of a sequence a chip; recomputation is looked for where it was taken as given; a number of chips that no layout
  divides is rounded down to a multiple of 64; hours of GPT-3 and BERT are taken from the table that states them.
- Nobody runs the best layout all the time. By how much hours exceed the prediction is taken from other rows: those that
  state chip-hours and no number of chips, which do not count above; they are taken to have lasted 30 days. Their
  median, and how they scatter about it, are the factor `PRACTICE` and the interval. No counted row is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import ceil, exp, log
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from isoflop import hardware
from isoflop.accuracy.formats import recipe_of
from isoflop.accuracy.rows import Settings
from isoflop.accuracy.software import entries, year_of
from isoflop.ask.alternatives import settings as advised
from isoflop.errors import IsoflopError
from isoflop.kernel import chip_of, profile_of
from isoflop.model import counts, model, published
from isoflop.model.sizes import shape_for
from isoflop.quantity.toml_file import read_toml
from isoflop.training import Run
from isoflop.training.goodput import GOODPUT
from isoflop.training.usual import usual_layout

if TYPE_CHECKING:
    from isoflop.hardware import Device
    from isoflop.model import ModelSpec
    from isoflop.model.published import Run as Published

FILE = Path(__file__).with_name("published_hours.toml")

SEQUENCE = 4096
LEVEL = 0.8
"""What the intervals should hold."""

CHIPS_A_SEQUENCE = 4
"""Chips that share one sequence of a batch at most: runs on many chips take larger batches. Added after a first look at
the predictions, in which two runs whose batch was too small for their chips stood out."""

WHOLE = 64
"""Chips that a fleet is a multiple of where its own number has no layout that fits."""

MONTH = 30 * 86400.0
"""Seconds that a run lasted which does not say on how many chips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A published run beside its prediction, in chip-seconds; `reason` says why there is none, or it does not count.

    `bare` is without the factor of practice; `flops` 6 N D; `peak` of the device. `use`: "counted", "practice" (states
    no chips: decides the factor), or "left out".
    """

    name: str
    device: str
    chips: float | None
    stated: float | None
    use: Literal["counted", "practice", "left out"]
    bare: float | None = None
    flops: float | None = None
    peak: float | None = None
    layout: str = ""
    shape: str = ""
    evidence: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """By how much stated hours exceed bare predictions: the median, and the factor that 80 % of rows stay in."""

    factor: float
    wide: float
    rows: int


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


def hours_of(run: Published) -> Hours:
    """The prediction of one run, or why there is none."""
    stated = run.use.chip_time or (run.use.chips or 0) * (run.use.time or 0) or None
    base = Hours(
        name=run.model,
        device=run.use.device,
        chips=run.use.chips,
        stated=stated,
        use="counted" if run.use.chips else "practice",
        evidence=run.evidence,
    )
    reason = _outside(run, stated)
    if reason:
        return _left_out(base, reason)
    chips = _chips(run, stated)
    try:
        device = hardware.device(run.use.device)
        spec, shape = _model(run)
        found = _predicted(run, device, spec, chips)
        if found is None and chips > WHOLE:  # 10,000 chips have no layout of 8 x 16: a few then stand idle
            fewer = chips // WHOLE * WHOLE
            less = _predicted(run, device, spec, fewer)
            found = None if less is None else (less[0] * chips / fewer, less[1])
    except IsoflopError as error:
        return _left_out(base, str(error))
    if found is None:
        return _left_out(base, "no usual layout fits")
    each, layout = found
    flops = 6.0 * float(counts(spec).active_params) * (run.work.tokens or 0)
    peak = device.peak_rate(_peak_format(device)).value
    return Hours(
        **{name: getattr(base, name) for name in ("name", "device", "chips", "stated", "use", "evidence")},
        bare=each, flops=flops, peak=peak, layout=layout, shape=shape,
    )  # fmt: skip


def _left_out(base: Hours, reason: str) -> Hours:
    kept = {name: getattr(base, name) for name in ("name", "device", "chips", "stated", "evidence")}
    return Hours(**kept, use="left out", reason=reason)


@cache
def _named(table: str) -> dict[str, str]:
    """What the file says of runs by name: reasons why they do not count, presets that the table does not name."""
    found = read_toml(FILE)[table]
    assert isinstance(found, dict)
    return {name: str(said) for name, said in found.items()}


def _outside(run: Published, stated: float | None) -> str:
    """Why a run does not count, "" where it does, its model apart."""
    if stated is None:
        return "neither chip-hours nor chips and days are stated"
    if run.work.tokens is None:
        return "no tokens are stated"
    if not run.use.device:
        return "no device is stated"
    return _named("left_out").get(run.model, "")


def _model(run: Published) -> tuple[ModelSpec, str]:
    """The architecture, and where it is from."""
    name = run.preset or _named("presets").get(run.model, "")
    if name:
        spec = model(name)
        if spec.encoder is not None:
            raise _unknown("an encoder and a decoder: the table does not say which tokens pass which")
        return spec, "preset"
    params = run.work.params
    if params is None or (run.work.active_params and run.work.active_params < 0.95 * params):
        raise _unknown("a mixture without a preset: its shape is not known")
    return shape_for(params), "by size"


def _unknown(reason: str) -> IsoflopError:
    return IsoflopError(reason)


def _chips(run: Published, stated: float | None) -> int:
    if run.use.chips:
        return round(run.use.chips)
    return max(8, 8 * round((stated or 0) / MONTH / 8))


def _peak_format(device: Device) -> str:
    return next(name for name in ("bf16", "fp16", "fp32") if name in device.peak_rates)


def _predicted(run: Published, device: Device, spec: ModelSpec, chips: int) -> tuple[float, str] | None:
    """(chip-seconds without the factor of practice, layout in words)."""
    tokens = run.work.tokens or 0.0
    year = year_of(run.date, "", 2022)
    sequence = min(SEQUENCE, spec.context or SEQUENCE)
    precision = "bf16" if "bf16" in device.peak_rates else "fp16"
    row = Settings(gpu=device.name, n_gpus=chips, framework="Megatron-LM", software_era=str(year), precision=precision)
    software = next(one for one in entries() if one.name == "Megatron-LM")
    recipe = replace(recipe_of(row, software, year)[0][0], recompute=("none",))  # what has to be is looked for
    flops = 6.0 * counts(spec).active_params * tokens
    batch = float(advised(spec, tokens, flops).batch_tokens) / sequence
    batch = max(batch, chips / CHIPS_A_SEQUENCE)
    whole = max(chips, chips * round(batch / chips)) if batch > chips else _near_divisor(batch, chips)
    nodes = hardware.nodes_of(device.name)
    domain = max((node.fabric.domain for node in nodes), default=8)
    memory = device.memory.usable or device.memory_labelled()
    chip = chip_of(device)
    made = Run(model=spec, sequence=sequence, batch=whole, recipe=recipe)
    best = usual_layout(made, chips, domain, memory.value, (chip, profile_of(chip)[1]))
    if best is None:
        return None
    steps = ceil(tokens / (best.run.batch * sequence))
    return steps * best.step / GOODPUT * chips, best.layout.words()


def _near_divisor(batch: float, chips: int) -> int:
    """The divisor of the chips nearest to a batch smaller than their number, so that layouts can be even."""
    divisors = [one for one in range(1, chips + 1) if chips % one == 0]
    return min(divisors, key=lambda one: abs(log(one / max(batch, 1.0))))


@cache
def all_hours() -> tuple[Hours, ...]:
    """Every published run; where its own table states no chips and hours, those that the table of energy states."""
    others = {run.model: run.use for run in published.table("energy") if run.use.chips and run.use.time}
    found = []
    for run in published.runs():
        bare = run.use.chip_time is None and run.use.chips is None and run.model in others
        found.append(hours_of(replace(run, use=others[run.model]) if bare else run))
    return tuple(found)


@cache
def practice() -> Practice:
    """The factor of practice and its spread, from the rows that state no chips."""
    ratios = [log(one.stated / one.bare) for one in all_hours() if one.use == "practice" and one.stated and one.bare]
    middle = float(np.median(ratios))
    wide = float(np.quantile(np.abs(np.array(ratios) - middle), LEVEL))
    return Practice(factor=exp(middle), wide=exp(wide), rows=len(ratios))


def predicted(one: Hours) -> tuple[float, float, float]:
    """Chip-seconds with the factor of practice: the point, 10 and 90 %."""
    assert one.bare is not None
    usual = practice()
    middle = one.bare * usual.factor
    return middle, middle / usual.wide, middle * usual.wide
