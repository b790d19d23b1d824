"""A Plan drawn: rows of what, how much and why, each with the step of the derivation it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.blocks import Blocks, Section, blocks_markdown, blocks_text
from isoflop.report.plan_words import ROWS, elsewhere_lines, mind_lines, moving_lines
from isoflop.report.text import answer_text, ledger_text
from isoflop.report.words import finite

if TYPE_CHECKING:
    from isoflop.ask import Plan
    from isoflop.ask.alternatives import Elsewhere
    from isoflop.relation import Answer
    from isoflop.report.json import Json


def plan_blocks(plan: Plan) -> Blocks:
    """What a plan says, as rows and sections that every renderer draws."""
    rows = tuple(row for make in ROWS if (row := make(plan)) is not None)
    sections = (
        Section(heading="Too much", lines=plan.broken, loud=True),
        Section(heading="What moves it", lines=moving_lines(plan)),
        Section(heading="Mind", lines=mind_lines(plan)),
        Section(heading="Instead", lines=elsewhere_lines(plan)),
    )
    return Blocks(rows=rows, sections=tuple(section for section in sections if section.lines))


def last(plan: Plan) -> Answer:
    """The answer whose derivation is the plan's: the loss, or the work where no loss is expected."""
    return plan.answers.get("loss", plan.answers["train_flops"])


def plan_text(
    plan: Plan, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The plan for a terminal; with `explain` the whole derivation and the memory ledger follow."""
    parts = [blocks_text(plan_blocks(plan), width=width, color=color, ascii_only=ascii_only)]
    if explain:
        parts.append(answer_text(last(plan), explain=True, width=width, color=color, ascii_only=ascii_only))
        parts.append(ledger_text(plan.memory, width=width, color=color, ascii_only=ascii_only))
    else:
        parts.append("  --explain derives every number ([n] is a step), --json is for scripts.")
    return "\n\n".join(parts)


def plan_markdown(plan: Plan, *, explain: bool = False) -> str:
    """The plan as Markdown."""
    from isoflop.report.markdown import answer_markdown

    parts = [blocks_markdown(plan_blocks(plan))]
    if explain:
        parts.append(answer_markdown(last(plan), explain=True))
    return "\n\n".join(parts)


def plan_html(plan: Plan) -> str:
    """The plan as one self-contained page: question, answer, charts, derivation, Methods, sources."""
    from isoflop.report.drawings import drawn
    from isoflop.report.report_page import document

    return document(drawn(plan))


def plan_json(plan: Plan) -> dict[str, Json]:
    """The plan for scripts: `answers` by quantity name, and under `plan` what was decided. Numbers in base units."""
    from isoflop.report.json import answers_json

    return {**answers_json(plan.answers), "plan": _decided(plan)}


def _decided(plan: Plan) -> dict[str, Json]:
    """What the plan chose, beside what it predicts."""
    from isoflop.report.json import ledger_json

    question, verdict, settings = plan.question, plan.verdict, plan.settings
    return {
        "limit": plan.limit.by,
        "broken": list(plan.broken),
        "device": question.device.name if question.device else None,
        "dtype": question.dtype or None,
        "law": question.law.name if question.law else None,
        "fleet": _fleet(plan),
        "shape": {key: getattr(plan.shape, key) for key in ("name", "layers", "width", "vocabulary")},
        "memory": ledger_json(plan.memory),
        "layout": _layout(plan),
        "valley": None if plan.valley is None else list(plan.valley),
        "verdict": None if verdict is None else {"kind": verdict.kind, "tokens_per_param": verdict.tokens_per_param},
        "settings": {
            key: finite(float(getattr(settings, key)), key) for key in ("learning_rate", "batch_tokens", "steps")
        },
        "rules": [{"law": rule.name, "params": rule.params, "tokens": rule.tokens} for rule in plan.rules],
        "active_loss": plan.active_loss,
        "repeats": _repeats(plan),
        "elsewhere": [_elsewhere(one) for one in plan.elsewhere],
    }


def _fleet(plan: Plan) -> Json:
    fleet = plan.fleet
    if fleet is None:
        return None
    time = finite(fleet.time, "train_time")
    return {
        "chips": fleet.chips, "unit_chips": fleet.unit_chips, "train_time": time, "chosen": fleet.chosen,
        "durations": [{"train_time": one.time, "chips": one.chips, "mfu": one.mfu} for one in plan.durations],
    }  # fmt: skip


def _repeats(plan: Plan) -> Json:
    again = plan.repeats
    if again is None:
        return None
    return {name: getattr(again, name) for name in again.__dataclass_fields__}


def _layout(plan: Plan) -> Json:
    found = plan.predicted
    if found is None:
        return None
    layout = found.layout
    return {
        "layout": {name: getattr(layout, name) for name in layout.__dataclass_fields__},
        "recompute": list(found.run.recipe.recompute),
        "sequence": found.run.sequence,
        "batch": found.run.batch,
        "step_time": {"value": found.step, "low": found.low, "high": found.high, "unit": "s", "interval": 0.9},
        "peak_memory": found.memory,
        "profile": found.profile,
        "measured": found.measured,
        "goodput": found.goodput,
    }


def _elsewhere(one: Elsewhere) -> dict[str, Json]:
    return {
        "device": one.device,
        "price": one.price.amount,
        "commitment": one.price.commitment,
        "provider": one.price.provider,
        "date": str(one.price.date) if one.price.date else None,
        "params": one.params,
        "tokens": one.tokens,
    }
