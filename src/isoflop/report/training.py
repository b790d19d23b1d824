"""Advice on a training run drawn: does it fit, how fast, in which layouts, what takes memory and time, what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.blocks import Blocks, Row, Section, blocks_markdown, blocks_text
from isoflop.report.layout import Paper, wrap
from isoflop.report.table import Column, table_markdown, table_text
from isoflop.report.training_time import (
    pace_json,
    scale_bill_json,
    scale_table,
    timing_cells,
    timing_json,
    timing_rows,
    timing_sections,
)
from isoflop.report.words import change, finite, say

if TYPE_CHECKING:
    from isoflop.report.json import Json
    from isoflop.report.table import Cell
    from isoflop.training import Advice, Change, Need, Scaled

MOST_LAYOUTS = 8
MOST_CHANGES = 6


def training_blocks(advice: Advice) -> Blocks:
    """What is asked and answered, as rows and sections that every renderer draws."""
    rows = (_run_row(advice), *_layout_rows(advice), *timing_rows(advice), _rule_row(advice), *_most_rows(advice))
    sections = [Section(heading="Assumed", lines=("; ".join(advice.assumed) + ".",))] if advice.assumed else []
    sections += timing_sections(advice)
    help_lines = tuple(_change_line(change, advice.held) for change in advice.changes[:MOST_CHANGES])
    heading = "Frees memory" if advice.good else "To make it fit"
    sections += [Section(heading=heading, lines=help_lines)] if help_lines else []
    sections += _mind_section(advice)
    return Blocks(title=_title(advice), rows=rows, sections=tuple(sections))


def _title(advice: Advice) -> str:
    place, chosen = advice.place, advice.chosen
    number = f"{place.chips:,} x " if place.chips else ""
    if chosen is None:
        few = advice.fewest
        said = "does not fit" + (f"; {few.layout.chips:,} chips do" if few else ", nor on more chips")
    else:
        said = {"fits": "fits", "tight": "fits only just", "does not fit": "does not fit"}[chosen.verdict]
    return f"{advice.run.model.name} on {number}{place.title}: {said}"


def _run_row(advice: Advice) -> Row:
    run = advice.run
    recipe = run.recipe
    adapter = recipe.adapter
    what = f"LoRA of rank {adapter.rank} on {adapter.base} weights" if adapter else f"recipe {recipe.name}"
    state = f": {recipe.state_bytes_per_param:g} bytes of state a parameter" if not adapter else ""
    return Row(label="a step", value=f"{run.batch:,} x {run.sequence:,} tokens", remark=what + state)


def _layout_rows(advice: Advice) -> list[Row]:
    held = advice.held
    if held is None:
        return []
    needs = f"{_size(held.bytes)} of {_size(held.capacity)}"
    interval = f"5 to 95 %: {_size(held.low)} to {_size(held.high)}; {advice.place.note}"
    kinds = (
        f"{_size(held.allocated)} allocated, {_size(held.reserved)} reserved, {held.bytes / 1e9:.1f} GB on the device"
    )
    return [
        Row(label="layout", value=_words(held), remark=_searched(advice)),
        Row(label="each chip", value=needs, remark=f"{interval}; {kinds}"),
    ]


def _searched(advice: Advice) -> str:
    """Among how many layouts it was found."""
    if advice.asked or advice.chosen is None:
        return ""
    order = "the fastest" if advice.timing else "the first"
    return f"{order} of {advice.tried:,} legal layouts, {advice.fitting:,} of which fit"


def _words(held: Need) -> str:
    """A layout with what goes with it."""
    again = [policy for policy in held.run.recipe.recompute if policy != "none"]
    said = held.layout.words() + (f", recompute {' and '.join(again)}" if again else ", nothing recomputed")
    said += ", embedding and head counting as a layer each" if held.run.ends and held.layout.pp > 1 else ""
    split = held.run.split
    return said + (f", {split[0]} layers in the first stage, {split[-1]} in the last" if split else "")


def _rule_row(advice: Advice) -> Row:
    held = advice.held
    remark = "24 bytes a parameter; activations follow batch and sequence instead"
    if held is not None:
        remark += f": here {_size(held.bytes * held.layout.chips)} on all chips"
    return Row(label="rule of thumb", value=_size(advice.rule_bytes), remark=remark)


def _most_rows(advice: Advice) -> list[Row]:
    most = advice.most
    if most is None or not advice.good:
        return []
    size = say(most.params, "params") if most.params else "none"
    said = f"micro-batch {most.micro_batch:,}; or {most.sequence:,} tokens a sequence; or {size} parameters"
    return [Row(label="at most", value=said)]


def _change_line(one: Change, held: Need | None) -> str:
    needed = one.need
    said = f"{one.says}: {_size(needed.bytes)}, {needed.verdict}"
    if held is None or held.pace is None or needed.pace is None:
        return said
    slower = needed.run.batch * held.pace.step / (held.run.batch * needed.pace.step)
    return said + (f", {change(slower)} tokens a second" if abs(slower - 1) >= 0.005 else ", as fast")


def _mind(advice: Advice) -> tuple[str, ...]:
    """What a reader should know before believing it."""
    from isoflop.training import engine

    lines = list(advice.notes)
    if advice.timing is None and advice.held is not None:
        said = "no time is predicted: layouts stand in the order of recomputation and splitting, not of speed"
        lines.append(f"{said} ({advice.place.untimed})" if advice.place.untimed else said)
    machine = advice.place.machine
    if machine is not None and advice.timing is not None:
        lines += machine.chip.notes
        if not machine.measured:
            lines.append(
                f"no profile was measured for {machine.chip.architecture}: times are those of its kind, roughly"
            )
    if not engine(advice.run.recipe.engine).fitted:
        lines.append(f"no constant of the engine '{advice.run.recipe.engine}' was fitted to a measurement")
    return tuple(lines)


def _mind_section(advice: Advice) -> list[Section]:
    lines = _mind(advice)
    return [Section(heading="Mind", lines=lines)] if lines else []


def _size(amount: float) -> str:
    """Bytes as GiB, TiB."""
    return say(amount, "peak_memory").replace("/chip", "")


def layout_table(advice: Advice) -> tuple[list[Column | str], list[tuple[Cell, ...]]]:
    """Layouts that fit, a row each: the degrees, recomputation, need, step time and MFU."""
    columns: list[Column | str] = [
        *(Column(name=name, right=True) for name in ("dp", "tp", "pp", "vpp", "cp", "ep")),
        Column(name="zero", title="Z", right=True),
        Column(name="micro_batch", title="mb", right=True),
        Column(name="recompute"),
        Column(name="peak", title="GiB", right=True),
    ]
    columns += [Column(name="step", right=True), Column(name="mfu", title="MFU", right=True)] if advice.timing else []
    rows: list[tuple[Cell, ...]] = []
    for one in advice.fits[:MOST_LAYOUTS]:
        layout = one.layout
        degrees = (layout.dp, layout.tp, layout.pp, layout.vpp, layout.cp, layout.ep, layout.zero, layout.micro_batch)
        again = " ".join(SHORT.get(policy, policy) for policy in one.run.recipe.recompute)
        rows.append((*map(str, degrees), again, f"{one.bytes / 2**30:.1f}", *timing_cells(advice, one)))
    return columns, rows


SHORT = {"activations": "act", "every-second-matmul": "every 2nd", "core-attention": "scores", "latent-up": "up"}
"""Policies as they stand in a narrow table."""


def training_text(
    advice: Advice, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The advice for a terminal: rows, the ledger, layouts that fit."""
    from isoflop.report.text import ledger_text

    parts = [blocks_text(training_blocks(advice), width=width, color=color, ascii_only=ascii_only)]
    ledgers = [one for one in (advice.timing.step if advice.timing else None, advice.memory) if one is not None]
    parts += [ledger_text(one, width=width, color=color, ascii_only=ascii_only) for one in ledgers]
    if len(advice.fits) > 1:
        order = ", fastest first" if advice.timing else ""
        parts.append(f"Layouts that fit{order}{_more(advice)}")
        parts.append(table_text(*layout_table(advice), width=width, color=color, ascii_only=ascii_only))
    if advice.scales:
        parts.append("The best layouts of fewer and of more chips, at the same batch")
        parts.append(table_text(*scale_table(advice), width=width, color=color, ascii_only=ascii_only))
    if explain:
        paper = Paper(width=width, color=color, ascii_only=ascii_only)
        parts += ["\n".join(wrap(paper.text(text), paper.columns)) for text in _explained(advice)]
        parts += _activations(advice, width=width, color=color, ascii_only=ascii_only)
    return "\n\n".join(parts)


def _more(advice: Advice) -> str:
    hidden = len(advice.fits) - MOST_LAYOUTS
    return f" ({hidden} more kinds: --json)" if hidden > 0 else ""


def _explained(advice: Advice) -> tuple[str, ...]:
    """What the prediction stands on, a paragraph each."""
    from isoflop.training import engine

    made = engine(advice.run.recipe.engine)
    fitted = f" Fitted: {made.fitted}." if made.fitted else " No constant of it was fitted to a measurement."
    words = (
        f"Engine {advice.run.recipe.engine}: {made.title}; {made.kernels} kernels; allocator overhead "
        f"{made.overhead[0]:g} ({made.overhead[1]:g} to {made.overhead[2]:g}); spread of measured over predicted "
        f"x/÷ {made.spread:g}.{fitted}"
    )
    return (*_profile_words(advice), words)


def _profile_words(advice: Advice) -> tuple[str, ...]:
    machine = advice.place.machine
    if machine is None:
        return ()
    profile, chip = machine.profile, machine.chip
    words = (
        f"Profile {machine.name}: {profile.title}; step times within x/÷ {profile.spread:g} (5 to 95 %). "
        f"{profile.fitted} Chip: {chip.rate('16') / 1e12:,.0f} TFLOP/s in 16 bits, memory {chip.bandwidth / 1e9:,.0f} "
        f"GB/s, links {chip.link / 1e9:,.0f} GB/s one way, network {chip.network / 1e9:,.1f} GB/s a chip, "
        f"{chip.domain} chips near."
    )
    return (words,)


def _activations(advice: Advice, *, width: int, color: bool, ascii_only: bool) -> list[str]:
    """What is saved for backward, by component."""
    from isoflop.report.text import ledger_text
    from isoflop.training import activation_ledger

    held = advice.held
    if held is None:
        return []
    return [ledger_text(activation_ledger(held.run, held.layout), width=width, color=color, ascii_only=ascii_only)]


def training_markdown(advice: Advice) -> str:
    """The advice as Markdown."""
    from isoflop.report.markdown import ledger_markdown

    parts = [blocks_markdown(training_blocks(advice))]
    parts += [ledger_markdown(advice.timing.step)] if advice.timing is not None else []
    parts += [ledger_markdown(advice.memory)] if advice.memory is not None else []
    parts += [table_markdown(*layout_table(advice))] if len(advice.fits) > 1 else []
    parts += [table_markdown(*scale_table(advice))] if advice.scales else []
    return "\n\n".join(parts)


def training_html(advice: Advice) -> str:
    """The advice as one self-contained page: question, answer, charts, derivation, Methods, sources."""
    from isoflop.report.drawings import drawn
    from isoflop.report.report_page import document

    return document(drawn(advice))


def training_json(advice: Advice) -> dict[str, Json]:
    """The advice for scripts, in base units."""
    from isoflop.report.json import SCHEMA_VERSION, ledger_json
    from isoflop.training import activation_ledger

    run, most, held = advice.run, advice.most, advice.held
    return {
        "schema_version": SCHEMA_VERSION,
        "fits": advice.good,
        "model": run.model.name,
        "device": advice.place.device,
        "chips": advice.place.chips,
        "capacity": advice.place.capacity,
        "sequence": run.sequence,
        "batch": run.batch,
        "chosen": None if advice.chosen is None else need_json(advice.chosen),
        "fewest": None if advice.fewest is None else need_json(advice.fewest),
        "memory": None if advice.memory is None else ledger_json(advice.memory),
        "activations": None if held is None else ledger_json(activation_ledger(held.run, held.layout)),
        "layouts": [need_json(one) for one in advice.fits],
        "pareto": [need_json(one) for one in advice.pareto],
        "scales": [scale_json(advice, one) for one in advice.scales],
        "tried": advice.tried,
        "fitting": advice.fitting,
        **timing_json(advice),
        "changes": [{"says": one.says, **need_json(one.need)} for one in advice.changes],
        "most": None
        if most is None
        else {"micro_batch": most.micro_batch, "sequence": most.sequence, "params": finite(most.params, "params")},
        "rule_of_thumb_bytes": finite(advice.rule_bytes, "rule_of_thumb_bytes"),
        "assumed": list(advice.assumed),
        "notes": list(advice.notes),
    }


def need_json(one: Need) -> dict[str, Json]:
    """A layout with what it needs."""
    return {
        "layout": {name: getattr(one.layout, name) for name in one.layout.__dataclass_fields__},
        "recompute": list(one.run.recipe.recompute),
        "split": list(one.run.split),
        "ends": one.run.ends,
        "step_time": pace_json(one),
        "allocated": finite(one.allocated, "peak_memory"),
        "reserved": finite(one.reserved, "peak_memory"),
        "value": finite(one.bytes, "peak_memory"),
        "low": finite(one.low, "peak_memory"),
        "high": finite(one.high, "peak_memory"),
        "unit": "byte/chip",
        "interval": 0.9,
        "verdict": one.verdict,
    }


def scale_json(advice: Advice, one: Scaled) -> Json:
    """The best layout of a number of chips."""
    bill = scale_bill_json(advice, one)
    return {"chips": one.chips, "mfu": one.mfu, "beaten": one.beaten, **need_json(one.need), "bill": bill}
