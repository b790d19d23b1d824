"""The tables of the accuracy page on one's own devices, and on chip-hours, money and energy of published runs."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.accuracy.costs import METHODS, costs_beside, rumour
from isoflop.accuracy.hours_scores import best_constant, by_device, constant_errors, errors, scores
from isoflop.accuracy.hours_scores import stated as stated_of
from isoflop.accuracy.practised import practised, reached, scatters
from isoflop.accuracy.published_energy import energies
from isoflop.accuracy.published_hours import all_hours
from isoflop.accuracy.rows import committed_rows, read_rows
from isoflop.accuracy.tables import table
from isoflop.accuracy.validate import time_pair, validate_training

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isoflop.accuracy.predict import Prediction
    from isoflop.accuracy.published_hours import Hours
    from isoflop.accuracy.rows import Row
    from isoflop.accuracy.shapes import Known
    from isoflop.quantity.types import FloatArray

MEASURED = Path(__file__).with_name("rows") / "measured_training.csv"

HOUR = 3600.0
_HEAD = ("median", "mean", "p90", "largest")


def measured_tables(library: tuple[Known, ...]) -> str:
    """Our own steps on an H200 and an H100, which no fit has seen, under the shipped profiles: time and memory."""
    report = validate_training(read_rows(MEASURED).rows, library)
    pairs = list(zip(report.rows, report.predictions, strict=True))
    lines = []
    for device in dict.fromkeys(row.settings.gpu for row in report.rows):
        for kind, holds in _KINDS:
            own = [pair for pair in pairs if pair[0].settings.gpu == device and holds(pair[0])]
            lines += [(device, kind, *line) for line in _errors_of(own)]
    over = sum(row.measured.step_time is None for row, _ in pairs)
    said = sum(row.measured.step_time is None and one.status == "does_not_fit" for row, one in pairs)
    counted = f"{over} steps ran out of memory; {said} of them were predicted not to fit."
    return table(("device", "steps", "of", "n", *_HEAD, "inside 80 %"), lines) + f"\n\n{counted}"


OWN = {"NVIDIA H200": "h200.toml", "NVIDIA H100 80GB HBM3": "h100.toml"}
"""Devices of the measured rows -> the device files that `isoflop measure` wrote on the same cards in about a minute."""


def own_tables(library: tuple[Known, ...]) -> str:
    """The same rows under the profiles that `isoflop measure` made on the same cards; no row was used for them."""
    rows = []
    for row in read_rows(MEASURED).rows:
        file = str(Path(__file__).with_name("measured") / OWN[row.settings.gpu])
        rows.append((row.settings.gpu, replace(row, settings=msgspec.structs.replace(row.settings, gpu=file))))
    report = validate_training([row for _, row in rows], library)
    triples = [(name, row, one) for (name, row), one in zip(rows, report.predictions, strict=True)]
    lines = []
    for device in OWN:
        for kind, holds in _KINDS:
            own = [(row, one) for name, row, one in triples if name == device and holds(row)]
            lines += [(device, kind, *line[1:]) for line in _errors_of(own) if line[0] == "step time"]
    return table(("device", "steps", "n", *_HEAD, "inside 80 %"), lines)


_KINDS: tuple[tuple[str, Callable[[Row], bool]], ...] = (
    ("bf16, eager", lambda row: _form(row) == "bf16" and "compile" not in row.settings.framework),
    ("bf16, layers compiled", lambda row: _form(row) == "bf16" and "compile" in row.settings.framework),
    ("autocast to bf16", lambda row: _form(row) == "autocast"),
    ("fp32 and tf32", lambda row: _form(row) == "fp32"),
)


def _form(row: Row) -> str:
    if row.settings.precision != "bf16":
        return "fp32"
    return "bf16" if "master=bf16" in row.settings.optimizer_dtypes else "autocast"


def _errors_of(pairs: Sequence[tuple[Row, Prediction]]) -> list[tuple[str, ...]]:
    """A line for step time and one for peak memory."""
    found: list[tuple[str, ...]] = []
    times = [four for row, one in pairs if (four := time_pair(row, one)) is not None]
    memory = [
        (row.measured.peak_memory, one.peak_memory, one.low, one.high)
        for row, one in pairs
        if row.measured.peak_memory and one.peak_memory and one.low and one.high
    ]
    for name, fours in (("step time", times), ("peak memory", memory)):
        if fours:
            real, middle, low, high = np.array(fours).T
            errors = np.abs(middle / real - 1)
            inside = float(((low <= real) & (real <= high)).mean())
            found.append((name, str(len(errors)), *_figures(errors), f"{100 * inside:.0f} %"))
    return found


def hours_tables() -> str:
    """Chip-hours of published runs: errors beside baselines, by kind of device, the counted rows, the others."""
    counted = [one for one in all_hours() if one.use == "counted"]
    further = [one for one in all_hours() if one.use == "chips unknown"]
    said = "Runs that state chip-hours and no number of chips, taken to have lasted 30 days; they do not count:"
    parts = (_hours_summary(counted), _by_family(counted), _hours_rows(counted), said)
    return "\n\n".join((*parts, _hours_summary(further), _hours_rows(further), _left_out()))


def _hours_summary(rows: Sequence[Hours]) -> str:
    """Errors beside baselines."""
    lines = [(one.name, *one.written()) for one in scores(rows)]
    return f"{len(rows)} runs.\n\n" + table(("chip-hours from", *_HEAD, "inside 80 %"), lines)


def _by_family(rows: Sequence[Hours]) -> str:
    lines = []
    for name, own in sorted(by_device(rows).items(), key=lambda pair: -len(pair[1])):
        ours, best = errors(own), best_constant(own)
        theirs = constant_errors(own, best)
        figures = (f"{100 * float(value):.1f} %" for value in (np.median(ours), np.max(ours), np.median(theirs)))
        lines.append((name, str(len(own)), *figures, f"{best:.1%}"))
    head = ("device", "n", "median", "largest", "median at their best constant", "that constant")
    return table(head, lines)


def _hours_rows(rows: Sequence[Hours]) -> str:
    lines = []
    for one in sorted(rows, key=lambda one: -abs(log((one.point or 1) / stated_of(one)))):
        middle, low, high = ((value or 0) / HOUR for value in (one.point, one.low, one.high))
        stated = stated_of(one) / HOUR
        chips = f"{one.chips:,.0f} {one.device}" if one.chips else one.device
        shares = (f"{(one.flops or 0) / ((one.peak or 1) * value * HOUR):.1%}" for value in (stated, middle))
        lines.append(
            (
                *(one.name, chips, _thousands(stated), _thousands(middle)),
                *(f"{_thousands(low)} to {_thousands(high)}", _off(middle, stated)),
                *(*shares, one.shape, one.evidence),
            )
        )
    head = ("run", "chips", "stated", "predicted", "80 %", "off", "MFU stated", "predicted", "shape", "evidence")
    return table(head, lines)


def _left_out() -> str:
    lines = [(one.name, one.reason) for one in all_hours() if one.use == "left out" and one.stated is not None]
    return "Left out:\n\n" + table(("run", "why"), lines)


def energy_tables() -> str:
    """Energy of published runs: predicted, from stated hours, and by TDP alone."""
    every = energies()
    lines: list[tuple[str, ...]] = []
    for name, take, kinds in (
        ("from model, chips, tokens and site", "predicted", ("GPU", "TPU")),
        ("the same, GPUs", "predicted", ("GPU",)),
        ("the same, TPUs", "predicted", ("TPU",)),
        ("from stated chip-hours", "from_hours", ("GPU", "TPU")),
        ("TDP x stated hours, no PUE", "by_tdp", ("GPU", "TPU")),
    ):
        own = [(value, one.printed) for one in every if one.kind in kinds and (value := getattr(one, take))]
        errors = np.array([abs(value / printed - 1) for value, printed in own])
        lines.append((name, str(len(errors)), *_figures(errors)))
    rows = [
        (
            *(one.name, one.device, one.convention, _mwh(one.printed)),
            *(_mwh(one.predicted), _off(one.predicted, one.printed)),
            *((_mwh(one.from_hours), _off(one.from_hours, one.printed)) if one.from_hours else ("", "")),
        )
        for one in every
    ]
    head = ("run", "device", "counts", "printed", "predicted", "off", "from stated hours", "off")
    return table(("energy", "n", *_HEAD), lines) + "\n\n" + table(head, rows)


def rumour_table() -> str:
    """GPT-4's rumoured set: what 90 and 100 days on 25,000 A100 come to."""
    found = rumour()
    lines = [
        (
            f"{one.time / 86400:.0f} days", f"{found.flops:.3g}", f"{one.chip_time / HOUR / 1e6:.0f}M",
            f"{one.mfu:.1%}", f"${one.price * HOUR:.2f}", f"{found.implied_active / 1e9:.0f}B",
        )
        for one in found.closings
    ]  # fmt: skip
    head = ("on 25,000 A100", "FLOP, as rumoured", "chip-hours", "MFU", "$63M come to, a chip-hour", "FLOP / 6 D")
    return table(head, lines)


def epoch_table() -> str:
    """Epoch AI's three methods beside ours, on stated chip-hours and chips."""
    every = costs_beside()
    lines = []
    for place in range(0, len(every), len(METHODS)):
        three = every[place : place + len(METHODS)]
        first = three[0]
        run = f"{first.run}, {first.chip_time / HOUR / 1e6:.1f}M h of {first.device}"
        pairs = [(_money(one.published), f"{_money(one.ours)} ({one.taken})") for one in three]
        lines.append((run, *(text for pair in pairs for text in pair)))
    head = ("run", "Epoch: capital + energy", "ours", "Epoch: cloud", "ours", "Epoch: buying all chips", "ours")
    return table(head, lines)


def _figures(errors: FloatArray) -> tuple[str, str, str, str]:
    found = (np.median(errors), np.mean(errors), np.quantile(errors, 0.9), np.max(errors))
    first, second, third, fourth = (f"{100 * float(value):.1f} %" for value in found)
    return first, second, third, fourth


def _off(found: float, real: float) -> str:
    return f"{100 * (found / real - 1):+.0f} %"


def _thousands(value: float) -> str:
    return f"{value / 1e6:.3g}M" if value >= 1e6 else f"{value / 1e3:.3g}k" if value >= 1e3 else f"{value:.3g}"


def _mwh(joules: float) -> str:
    return f"{joules / 3.6e9:,.4g} MWh"


def _money(value: float) -> str:
    return f"${value / 1e6:,.3g}M"


def practised_tables(library: tuple[Known, ...]) -> str:
    """Measured steps with all settings hidden against practice, and what they reached: the constants of practice."""
    steps = practised(committed_rows(), library)
    scatter = [
        (
            "mixtures of experts" if one.experts else "dense",
            *(str(one.sources), str(one.steps), f"{one.longer:.2f}", f"{one.wide:.2f}"),
        )
        for one in scatters(steps)
    ]
    head = ("steps", "publishers", "n", "longer", "80 % within a factor of")
    shares = [
        (name, "to 2022" if early else "since 2023", f"{share:.1%}") for (name, early), share in reached(steps).items()
    ]
    return table(head, scatter) + "\n\n" + table(("architecture", "years", "reached, median of publishers"), shares)
