"""Published runs as tables: the list, table D.1 recounted, energy under two conventions, and one run figure by figure.

Each gives columns and rows with numbers in base units; the command and docs/runs.md print them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.cli.side_by_side import Line, text_line
from isoflop.errors import BadInput
from isoflop.report.table import Column
from isoflop.report.words import base_unit, change, say, say_bare

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.model import Run
    from isoflop.report import Cell

    Table = tuple[list[Column], list[tuple[Cell, ...]]]

PF_DAY = 1e15 * 86400.0
"""FLOP."""

COUNTED = {
    "6nd": "6 N D",
    "3nd": "3 N D",
    "model": "model",
    "hardware": "hardware",
    "measured": "measured",
    "unknown": "not said",
}
"""What printed FLOP include: N D alone; attention too (model); recomputation too (hardware); measured rate x hours."""


def listing(runs: Iterable[Run]) -> Table:
    """Runs as printed, a row each, with how far their FLOP are from 6 N D."""
    columns = [
        Column(name="run"),
        Column(name="organisation", title="by"),
        Column(name="date"),
        Column(name="params", title="N", quantity="params"),
        Column(name="active_params", title="active", quantity="active_params"),
        Column(name="tokens", title="D", quantity="tokens"),
        Column(name="flops", title="FLOP", quantity="train_flops", shown="FLOP"),
        Column(name="counts", title="counted"),
        Column(name="flops_off", title="off 6 N D", written=change),
        Column(name="device"),
        Column(name="chips", quantity="chips"),
        Column(name="chip_time", title="chip-hours", quantity="chip_time", shown="chip-hours"),
        Column(name="mfu", title="MFU", quantity="mfu"),
        Column(name="cost", quantity="train_cost"),
        Column(name="energy", title="MWh", quantity="train_energy", shown="MWh"),
        Column(name="evidence"),
        Column(name="source"),
        Column(name="note"),
    ]
    return columns, [_listed(run) for run in runs]


def _listed(run: Run) -> tuple[Cell, ...]:
    work, use = run.work, run.use
    return (
        run.model, run.organisation, run.date, work.params, work.active_params, work.tokens, work.flops_printed,
        COUNTED[work.counts] if work.flops_printed is not None else None, _over(work.flops_printed, work.flops_nd),
        use.device or None, use.chips, use.chip_time, use.mfu, run.cost, run.footprint.energy, run.evidence, run.source,
        run.note,
    )  # fmt: skip


def _over(printed: float | None, recomputed: float | None) -> float | None:
    """Printed over recomputed, where there are both."""
    return None if printed is None or recomputed is None else printed / recomputed


def d1_table(runs: Iterable[Run]) -> Table:
    """Table D.1 of the GPT-3 paper: FLOP again from the printed N, and the exact count beside it."""
    columns = [
        Column(name="run"),
        Column(name="params", title="N", quantity="params"),
        Column(name="tokens", title="D", quantity="tokens"),
        Column(name="flops", title="FLOP", quantity="train_flops", shown="FLOP"),
        Column(name="pf_days", title="PF-days", written=lambda days: say_bare(days * PF_DAY, "train_flops", "PF-days")),
        Column(name="flops_per_param_token", title="c"),
        Column(name="flops_recomputed", title="c N D", quantity="train_flops", shown="FLOP"),
        Column(name="flops_off", title="off", written=change),
        Column(name="preset"),
        Column(name="exact_params", title="exact N", quantity="params"),
        Column(name="params_off", title="off", written=change),
        Column(name="flops_exact", title="c N D, exact N", quantity="train_flops", shown="FLOP"),
        Column(name="evidence"),
        Column(name="source"),
        Column(name="note"),
    ]
    return columns, [_recounted(run) for run in runs]


def _recounted(run: Run) -> tuple[Cell, ...]:
    from isoflop.model import recount

    work, found = run.work, recount(run)
    return (
        run.model, work.params, work.tokens, work.flops_printed,
        None if work.flops_printed is None else work.flops_printed / PF_DAY, 3.0 if work.counts == "3nd" else 6.0,
        work.flops_nd, _over(work.flops_printed, work.flops_nd), run.preset or None,
        None if found is None else float(found.exact_params), None if found is None else found.params_ratio,
        None if found is None else found.flops_from_exact, run.evidence, run.source, run.note,
    )  # fmt: skip


def energy_table(runs: Iterable[Run]) -> Table:
    """Energy and emissions as printed, by the owner's inputs, and as LLaMA's table restates runs of others."""
    columns = [
        Column(name="run"),
        Column(name="energy", title="MWh", quantity="train_energy", shown="MWh"),
        Column(name="energy_recomputed", title="again", quantity="train_energy", shown="MWh"),
        Column(name="energy_off", title="off", written=change),
        Column(name="emissions", title="t CO2e", quantity="train_emissions", shown="t CO2e"),
        Column(name="emissions_recomputed", title="again", quantity="train_emissions", shown="t CO2e"),
        Column(name="emissions_off", title="off", written=change),
        Column(name="llama_energy", title="LLaMA MWh", quantity="train_energy", shown="MWh"),
        Column(name="llama_emissions", title="t CO2e", quantity="train_emissions", shown="t CO2e"),
        Column(name="device"),
        Column(name="chip_time", title="chip-hours", quantity="chip_time", shown="chip-hours"),
        Column(name="chip_power", title="W a chip", quantity="chip_power", shown="W/chip"),
        Column(name="pue", title="PUE"),
        Column(name="grid_intensity", title="kg CO2e/kWh", quantity="grid_intensity", shown="kg CO2e/kWh"),
        Column(name="scope", title="MWh of"),
        Column(name="lacks", title="not printed"),
        Column(name="evidence"),
        Column(name="source"),
        Column(name="note"),
    ]
    return columns, [_energy(run) for run in runs]


def _energy(run: Run) -> tuple[Cell, ...]:
    from isoflop.model import chip_time_of, restated

    foot, owner, llama = run.footprint, restated(run), restated(run, "llama", tdp=tdp_of(run))
    return (
        run.model, foot.energy, owner.energy, _over(foot.energy, owner.energy), foot.emissions, owner.emissions,
        _over(foot.emissions, owner.emissions), llama.energy, llama.emissions, run.use.device or None,
        chip_time_of(run), foot.chip_power, foot.pue, foot.grid_intensity, foot.scope, ", ".join(owner.lacks),
        run.evidence, run.source, run.note,
    )  # fmt: skip


def tdp_of(run: Run) -> float | None:
    """TDP of the run's device [W/chip], None where that is not catalogued."""
    from isoflop.hardware import device

    try:
        figure = device(run.use.device).tdp
    except BadInput:
        return None
    return None if figure is None else figure.value


# --- figure by figure ------------------------------------------------------------------------------------------------


_SHOWN = {"train_energy": "MWh", "train_emissions": "t CO2e"}
"""One unit in which all runs compare."""


def _number(name: str, title: str, quantity: str, values: Iterable[float | None], *, digits: int = 4) -> Line:
    cells = tuple(values)
    shown = _SHOWN.get(quantity)
    texts = tuple(
        ""
        if cell is None
        else f"{say_bare(cell, quantity, shown, digits)} {shown}"
        if shown
        else say(cell, quantity, digits)
        for cell in cells
    )
    return Line(name=name, title=title, unit=base_unit(quantity), cells=cells, texts=texts)


def _exactly(name: str, title: str, quantity: str, values: Iterable[float | None]) -> Line:
    """A printed figure, with as many digits as any table prints."""
    return _number(name, title, quantity, values, digits=6)


def _ratio(name: str, title: str, values: Iterable[float | None]) -> Line:
    cells = tuple(values)
    texts = tuple("" if cell is None else change(cell) for cell in cells)
    return Line(name=name, title=title, unit="1", cells=cells, texts=texts)


def printed(runs: Sequence[Run]) -> list[Line]:
    """Everything that the tables print of these runs."""
    work, use, foot = [run.work for run in runs], [run.use for run in runs], [run.footprint for run in runs]
    active = (one.active_params if one.active_params != one.params else None for one in work)
    return [
        text_line("organisation", (run.organisation for run in runs)),
        text_line("date", (run.date for run in runs)),
        _exactly("params", "parameters", "params", (one.params for one in work)),
        _exactly("active_params", "active parameters", "active_params", active),
        _exactly("tokens", "tokens", "tokens", (one.tokens for one in work)),
        _exactly("flops", "FLOP", "train_flops", (one.flops_printed for one in work)),
        text_line("counts", (COUNTED[one.counts] if one.flops_printed is not None else "" for one in work), "counted"),
        text_line("device", (one.device for one in use)),
        _exactly("chips", "chips", "chips", (one.chips for one in use)),
        _exactly("time", "time", "train_time", (one.time for one in use)),
        _exactly("chip_time", "chip-hours", "chip_time", (one.chip_time for one in use)),
        _exactly("mfu", "MFU", "mfu", (one.mfu for one in use)),
        _exactly("cost", "cost", "train_cost", (run.cost for run in runs)),
        _exactly("energy", "energy", "train_energy", (one.energy for one in foot)),
        text_line("scope", (one.scope if one.energy is not None else "" for one in foot), "energy of the"),
        _exactly("emissions", "emissions", "train_emissions", (one.emissions for one in foot)),
        _exactly("chip_power", "power a chip", "chip_power", (one.chip_power for one in foot)),
        _exactly("pue", "PUE", "pue", (one.pue for one in foot)),
        _exactly("grid_intensity", "grid", "grid_intensity", (one.grid_intensity for one in foot)),
        text_line("evidence", (run.evidence for run in runs)),
        text_line("source", (run.source for run in runs)),
        text_line("note", (run.note for run in runs)),
    ]


def recomputed(runs: Sequence[Run]) -> list[Line]:
    """What 6 N D (3 where the table counts so), the preset's exact count and two energy conventions make of them."""
    from isoflop.model import recount, restated

    counted = [recount(run) for run in runs]
    exact = [None if one is None else float(one.exact_params) for one in counted]
    flops_exact = [None if one is None else one.flops_from_exact for one in counted]
    owner = [restated(run) for run in runs]
    llama = [restated(run, "llama", tdp=tdp_of(run)) for run in runs]
    threes = {run.work.counts == "3nd" for run in runs}
    factor = "6 N D or 3 N D" if len(threes) > 1 else "3 N D" if True in threes else "6 N D"
    work, flops_nd = [run.work for run in runs], [run.work.flops_nd for run in runs]
    energy, emissions = [run.footprint.energy for run in runs], [run.footprint.emissions for run in runs]
    return [
        _number("flops_nd", factor, "train_flops", flops_nd),
        _ratio("flops_off", f"printed against {factor}", map(_over, [one.flops_printed for one in work], flops_nd)),
        text_line("preset", (run.preset if one else "" for run, one in zip(runs, counted, strict=True))),
        _number("exact_params", "its exact N", "params", exact),
        _ratio("params_off", "printed N against it", map(_over, [run.work.params for run in runs], exact)),
        _number("flops_exact", f"{factor}, exact N", "train_flops", flops_exact),
        _number("energy_recomputed", "energy, owner's way", "train_energy", (one.energy for one in owner)),
        _ratio("energy_off", "printed against it", map(_over, energy, (one.energy for one in owner))),
        _number("emissions_recomputed", "emissions, owner's way", "train_emissions", (one.emissions for one in owner)),
        _ratio("emissions_off", "printed against it", map(_over, emissions, (one.emissions for one in owner))),
        _number("llama_energy", "energy, LLaMA's way", "train_energy", (one.energy for one in llama)),
        _number("llama_emissions", "emissions, LLaMA's way", "train_emissions", (one.emissions for one in llama)),
    ]  # fmt: skip
