"""The outlook of a run drawn: where it stands, where it will end, how sure that is, and what makes it weak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.report.blocks import Blocks, Row, Section, blocks_markdown, blocks_text
from isoflop.report.citations import references
from isoflop.report.words import finite, percent

if TYPE_CHECKING:
    from isoflop.laws import Curve, Outlook
    from isoflop.report.json import Json

SOURCES = ("tissue2024",)

_SAME = 1.005  # a widening that is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """An outlook with the curve it is of."""

    outlook: Outlook
    curve: Curve


def running_blocks(found: Foreseen) -> Blocks:
    """Rows and sections that every renderer draws."""
    one, curve = found.outlook, found.curve
    half = (one.final.high / one.final.low) ** 0.5 - 1.0
    rows = [
        Row(
            label="will end at",
            value=f"{one.final.value:.4g} ({one.final.low:.4g} to {one.final.high:.4g})",
            remark=f"{percent(one.level)} interval, ±{100 * half:.2g} %; mean over the last 2 % of the run",
        ),
        Row(
            label="stands at",
            value=f"{one.now:.4g}",
            remark=f"'{curve.column}' smoothed, after {_progress(curve.end)} of {_progress(one.schedule.total)}"
            f" {curve.measure} ({percent(one.share)})",
        ),
        Row(label="to come", value=f"{100 * (one.final.value / one.now - 1):+.2g} %", remark=_rate_words(found)),
        Row(label="tested", value=_widened(one), remark=_calibration_words(one)),
    ]
    sections = [Section(heading="Mind", lines=one.warnings, loud=True)] if one.warnings else []
    return Blocks(rows=tuple(rows), sections=tuple(sections))


def _rate_words(found: Foreseen) -> str:
    import numpy as np

    one = found.outlook
    now = float(one.schedule.rate(np.array([found.curve.end]))[0])
    said = f"{one.schedule.kind} schedule: the learning rate stands at {percent(now)} of its peak"
    return said + (f", and its fall takes {100 * one.unseen:.2g} % off the loss" if one.unseen > 5e-4 else "")


def _widened(one: Outlook) -> str:
    by = one.calibration
    return f"widened {by:.2g} times" if by > _SAME else f"narrowed to {by:.2g}" if by < 1.0 / _SAME else "held"


def _calibration_words(one: Outlook) -> str:
    if one.checks < 2:
        return "too little of the curve to test earlier outlooks on it"
    better = "off by more than they said" if one.calibration > _SAME else "as good as they said, or better"
    return f"{one.checks} outlooks from earlier parts of this curve on today's loss were {better}"


def _progress(value: float) -> str:
    return f"{value:,.0f}" if value < 1e7 else f"{value:.4g}"


def running_steps(found: Foreseen) -> tuple[str, ...]:
    """The derivation, a sentence a step."""
    one = found.outlook
    constants = ", ".join(f"{name} = {value:.4g}" for name, value in one.constants)
    schedule = one.schedule
    decay = f", decay over the last {percent(schedule.decay)}" if schedule.kind == "wsd" else ""
    form = "loss = E + A (p + p0)^-alpha + C (1 - a): p the progress weighted by the learning rate, a its fall"
    length = f"over {schedule.total:g}, warm-up {schedule.warmup:g}, final rate {percent(schedule.final)} of the peak"
    noise = f"one logged loss being off by {100 * one.noise:.2g} %"
    return (
        f"{form} from the peak, followed with a lag",
        f"schedule: {schedule.kind} {length}{decay}",
        f"fitted to means over stretches of the curve, {noise}: {constants}",
        f"priors where the curve is silent: {one.prior.of}",
        f"interval: constants drawn from their joint normal, {_widened(one)}; {_calibration_words(one)}",
    )


def running_text(
    found: Foreseen, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The outlook for a terminal."""
    parts = [blocks_text(running_blocks(found), width=width, color=color, ascii_only=ascii_only)]
    if explain:
        steps = tuple(f"[{number}] {text}" for number, text in enumerate(running_steps(found), start=1))
        cited = tuple(f"{one.key}: {one.text}, {one.url}" for one in references(SOURCES))
        sections = (Section(heading="It follows", lines=steps), Section(heading="Sources", lines=cited))
        parts.append(blocks_text(Blocks(sections=sections), width=width, color=color, ascii_only=ascii_only))
    return "\n\n".join(parts)


def running_markdown(found: Foreseen) -> str:
    """The outlook as Markdown."""
    return blocks_markdown(running_blocks(found))


def running_html(found: Foreseen) -> str:
    """The outlook as one self-contained page: answer, chart, derivation, sources."""
    from isoflop.report.drawings import drawn
    from isoflop.report.report_page import document

    return document(drawn(found))


def running_json(found: Foreseen) -> dict[str, Json]:
    """The outlook for scripts; losses are in the units of the curve."""
    from isoflop.report.json import SCHEMA_VERSION

    one, curve = found.outlook, found.curve
    schedule = one.schedule
    return {
        "schema_version": SCHEMA_VERSION,
        "final_loss": {key: finite(value, "the final loss") for key, value in one.final._asdict().items()},
        "interval": one.level,
        "now": one.now,
        "at": curve.end,
        "measure": curve.measure,
        "share": one.share,
        "column": curve.column,
        "schedule": {
            "kind": schedule.kind,
            "total": schedule.total,
            "warmup": schedule.warmup,
            "final": schedule.final,
            "decay": schedule.decay,
        },
        "constants": dict(one.constants),
        "noise": one.noise,
        "calibration": one.calibration,
        "checks": one.checks,
        "annealing_to_come": one.unseen,
        "outlook": {
            "at": one.at.tolist(),
            "loss": one.middle.tolist(),
            "low": one.low.tolist(),
            "high": one.high.tolist(),
        },
        "steps": list(running_steps(found)),
        "sources": list(SOURCES),
        "warnings": list(one.warnings),
    }
