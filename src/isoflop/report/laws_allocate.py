"""A decision about a budget drawn: what to train, how flat the valley is, how sure the law, where approaches differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.report.blocks import Blocks, Row, Section, blocks_markdown, blocks_text
from isoflop.report.citations import references
from isoflop.report.words import base_unit, finite, percent, say, say_around, say_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.laws import Decision, Estimate, Side
    from isoflop.relation import Answer
    from isoflop.report.json import Json

_SURE = 1.001  # ends of an interval nearer than this are one point


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocated:
    """A decision with what else was asked: approaches on the same runs, the budget's own answers, choices beside it.

    `budget` are answers for the FLOP that money and time allow, the binding one first. `choices` are decisions under
    other values of the law's further inputs, best first.
    """

    decision: Decision
    sides: tuple[Side, ...] = ()
    budget: tuple[Answer, ...] = ()
    choices: tuple[Decision, ...] = ()


def allocate_blocks(found: Allocated) -> Blocks:
    """Rows and sections that every renderer draws."""
    one = found.decision
    rows = (
        _spent_row(found), _split_row(one), _valley_row(one), _loss_row(found), *_epoch_rows(one), *_exponent_rows(one),
        *_plain_rows(one),
    )  # fmt: skip
    sections = [*_choice_section(found), *_side_section(found.sides), *_mind_section(one)]
    return Blocks(rows=rows, sections=tuple(sections))


def _spent_row(found: Allocated) -> Row:
    one = found.decision
    aim = one.aim
    train = one.train_flops.value
    paid = aim.served * one.params.value
    parts = []
    if paid:
        weight = f", each FLOP counted {aim.serve_ratio:g} times" if aim.serve_ratio != 1 else ""
        served = f"{say(aim.serve_tokens, 'serve_tokens')} at {aim.serve_flops_per_param_token:g} FLOP a parameter"
        parts.append(f"training {percent(train / (train + paid))}, serving the rest: {served}{weight}")
    parts += [_budget_words(found.budget)] if found.budget else []
    if aim.flops is None:
        return Row(label="it takes", value=say(train + paid, "train_flops"), remark="; ".join(parts))
    value = say(aim.flops, "train_flops")
    if aim.flops_samples is not None:
        low, high = np.quantile(aim.flops_samples, (0.05, 0.95))
        value = say_around(aim.flops, min(float(low), aim.flops), max(float(high), aim.flops), "train_flops")
    if found.budget and not found.budget[0].is_point:
        value = say_around(aim.flops, found.budget[0].low, found.budget[0].high, "train_flops")
    return Row(label="to spend", value=value, remark="; ".join(parts))


def _budget_words(answers: Sequence[Answer]) -> str:
    first = answers[0]
    given = [f"{step.gives.replace('_', ' ')} {say(step.value, step.gives)}" for step in first.steps if not step.inputs]
    other = f"; the other limit would allow {say(answers[1].value, 'train_flops')}" if len(answers) > 1 else ""
    return "from " + ", ".join(given) + other


def _split_row(one: Decision) -> Row:
    value = f"{say(one.params.value, 'params')} parameters, {say(one.tokens.value, 'tokens')} tokens"
    law = f"{one.belief.name}: {one.tokens_per_param:.3g} tokens per parameter"
    if _sure(one.params):
        return Row(label="best spent on", value=value, remark=f"{law}; no interval: {one.belief.of}")
    ends = f"{_ends(one.params, 'params')} parameters, {_ends(one.tokens, 'tokens')} tokens"
    return Row(label="best spent on", value=value, remark=f"{law}; {percent(one.aim.level)} interval: {ends}")


def _valley_row(one: Decision) -> Row:
    what = "the loss of the best" if one.aim.flops is not None else "the least compute"
    value = f"{say_interval(*one.valley, 'params')} parameters"
    return Row(label="nearly as good", value=value, remark=f"within {100 * one.aim.slack:g} % of {what}")


def _loss_row(found: Allocated) -> Row:
    one = found.decision
    if one.aim.flops is None:
        return Row(label="loss", value=say(one.loss.value, "loss"), remark="asked for")
    budget = found.budget or one.aim.flops_samples is not None
    kind = "of constants and budget" if budget else "of the constants alone"
    kind = "of a new run: constants, scatter, drift" if one.belief.fit is not None and not budget else kind
    told = f"{percent(one.aim.level)} interval {kind}" if not _sure(one.loss) else "no interval is known"
    return Row(label="expect loss", value=say_around(*one.loss, "loss"), remark=told)


def _epoch_rows(one: Decision) -> list[Row]:
    if one.epochs is None:
        return []
    unique = say(one.aim.unique_tokens or 0.0, "unique_tokens")
    seen = (
        f"{one.epochs:.3g} epochs"
        if one.epochs > 1.005
        else f"{one.epochs:.3g} of an epoch"
        if one.epochs < 0.995
        else "1 epoch"
    )
    limit = f", at most {one.aim.epochs:g} allowed" if one.aim.epochs is not None else ""
    return [Row(label="data seen", value=seen, remark=f"of {unique} that differ{limit}")]


def _exponent_rows(one: Decision) -> list[Row]:
    if one.exponent is None:
        return []
    value = f"params ~ FLOP^{one.exponent.value:.3f}"
    ends = "" if _sure(one.exponent) else f"{one.exponent.low:.3f} to {one.exponent.high:.3f}"
    return [Row(label="grows as", value=value, remark=ends)]


def _plain_rows(one: Decision) -> list[Row]:
    plain = one.plain
    if plain is None:
        return []
    value = f"{say(plain.params.value, 'params')} on {say(plain.tokens.value, 'tokens')}"
    why = [word for word, there in (("demand", one.aim.serve_tokens), ("data limit", one.aim.unique_tokens)) if there]
    remark = (
        f"all of it on training: loss {say(plain.loss.value, 'loss')}"
        if one.aim.flops is not None
        else f"{say(plain.train_flops.value, 'train_flops')} of training reach that loss"
    )
    return [Row(label=f"without {' and '.join(why)}", value=value, remark=remark)]


def _choice_section(found: Allocated) -> list[Section]:
    if not found.choices:
        return []
    lines = [
        f"{_given(one)}: {say(one.params.value, 'params')} on {say(one.tokens.value, 'tokens')}, loss"
        f" {say(one.loss.value, 'loss')}"
        for one in found.choices
    ]
    return [Section(heading="Choices", lines=tuple(lines))]


def _given(one: Decision) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in one.belief.given.items())


def _side_section(sides: Sequence[Side]) -> list[Section]:
    if not sides:
        return []
    lines = [_side_line(one) for one in sides]
    apart = [one.approach.replace(",", "") for one in sides if one.disagrees]
    if apart:
        lines.append(
            f"Approach {' and '.join(apart)} disagrees with the fitted law: the intervals do not meet. Run near both"
            " sizes before spending this."
        )
    else:
        lines.append("They agree as far as their intervals tell.")
    return [Section(heading="Approaches", lines=tuple(lines), loud=bool(apart))]


def _side_line(one: Side) -> str:
    if one.params is None or one.exponent is None:
        return f"{one.approach}: no answer. {one.why}"
    said = f"{one.approach}: {say(one.params.value, 'params')} ({_ends(one.params, 'params')})"
    said += f", params ~ FLOP^{one.exponent.value:.3f} ({one.exponent.low:.3f} to {one.exponent.high:.3f})"
    if one.regret:
        said += f"; costs {100 * one.regret:.2g} % of loss under the fitted law"
    if one.bias is not None:
        said += f"; its bias here {one.bias:+.3f}"
    return said


def _mind_section(one: Decision) -> list[Section]:
    return [Section(heading="Mind", lines=one.warnings, loud=True)] if one.warnings else []


def _sure(one: Estimate) -> bool:
    return one.high / one.low < _SURE


def _ends(one: Estimate, name: str) -> str:
    return say_interval(one.low, one.high, name)


# --- the derivation --------------------------------------------------------------------------------------------------


def allocate_steps(found: Allocated) -> tuple[str, ...]:
    """The derivation, a sentence a step."""
    one, aim = found.decision, found.decision.aim
    belief = one.belief
    constants = ", ".join(
        f"{name.removeprefix('ln_')} = {np.exp(value) if name.startswith('ln_') else value:.6g}"
        for name, value in zip(belief.shape.coordinates, belief.at, strict=True)
    )
    given = f" at {_given(one)}" if belief.given else ""
    k, s = aim.flops_per_param_token, aim.serve_flops_per_param_token
    steps = [f"{belief.name}: {getattr(belief.shape, 'title', belief.shape.name)}, {constants}{given}"]
    steps += [f"parameters counted: {belief.convention.params.replace('_', '-')}; FLOP: {k:g} a parameter and token"]
    if aim.serve_tokens:
        steps.append(f"serving: {s:g} x {aim.serve_ratio:g} FLOP a parameter and token, {aim.serve_tokens:.4g} tokens")
    if aim.flops is not None:
        served = f" + {s * aim.serve_ratio:g} params x {aim.serve_tokens:.4g}" if aim.serve_tokens else ""
        steps.append(f"{aim.flops:.6g} FLOP = {k:g} params tokens{served}; along it the loss is lowest at")
    else:
        steps.append(f"for each size the tokens that reach {aim.loss:g}; of these the least compute is at")
    steps.append(f"params = {one.params.value:.6g}, tokens = {one.tokens.value:.6g}, loss = {one.loss.value:.6g}")
    count = len(belief.draws)
    drawn = f"intervals: {count:,} draws of the constants, each solved anew: {belief.of.rstrip('.')}"
    what = "loss" if aim.flops is not None else "compute"
    ends = say_interval(*one.valley, "params")
    steps.append(drawn if count else f"no interval: {belief.of}")
    steps.append(f"valley: where {what} is {100 * aim.slack:g} % above, by halving: {ends}")
    return tuple(steps)


def allocate_sources(found: Allocated) -> tuple[str, ...]:
    """What the decision cites."""
    one = found.decision
    source = getattr(one.belief.shape, "source", "")
    keys = [source, "sardana2024" if one.aim.serve_tokens else "", "muennighoff2023" if one.epochs else ""]
    return tuple(dict.fromkeys(key for key in keys if key))


def allocate_text(
    found: Allocated, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The decision for a terminal."""
    from isoflop.report.text import answer_text

    parts = [blocks_text(allocate_blocks(found), width=width, color=color, ascii_only=ascii_only)]
    if explain:
        steps = tuple(f"[{number}] {text}" for number, text in enumerate(allocate_steps(found), start=1))
        cited = tuple(f"{one.key}: {one.text}, {one.url}" for one in references(allocate_sources(found)))
        sections = (Section(heading="It follows", lines=steps), Section(heading="Sources", lines=cited))
        parts.append(blocks_text(Blocks(sections=sections), width=width, color=color, ascii_only=ascii_only))
        parts += [answer_text(one, True, width=width, color=color, ascii_only=ascii_only) for one in found.budget]  # noqa: FBT003 - explain
    return "\n\n".join(parts)


def allocate_markdown(found: Allocated) -> str:
    """The decision as Markdown."""
    return blocks_markdown(allocate_blocks(found))


def allocate_html(found: Allocated) -> str:
    """The decision as one self-contained page: answer, chart, derivation, sources."""
    from isoflop.report.drawings import drawn
    from isoflop.report.report_page import document

    return document(drawn(found))


def allocate_json(found: Allocated) -> dict[str, Json]:
    """The decision for scripts, in base units."""
    from isoflop.report.json import SCHEMA_VERSION, answers_json

    return {
        "schema_version": SCHEMA_VERSION,
        **_decision(found.decision),
        "approaches": [_side(one) for one in found.sides],
        "choices": [_decision(one) for one in found.choices],
        "budget": [answers_json({"train_flops": one})["answers"] for one in found.budget],
        "steps": list(allocate_steps(found)),
        "sources": list(allocate_sources(found)),
    }


def _decision(one: Decision) -> dict[str, Json]:
    answers: Mapping[str, Estimate] = {
        "params": one.params, "tokens": one.tokens, "loss": one.loss, "train_flops": one.train_flops
    }  # fmt: skip
    return {
        "law": one.belief.name,
        "form": one.belief.shape.name,
        "given": dict(one.belief.given),
        "interval": one.aim.level,
        "answers": {name: _estimate(value, name, base_unit(name)) for name, value in answers.items()},
        "tokens_per_param": one.tokens_per_param,
        "serve_flops": one.serve_flops,
        "params_exponent": None if one.exponent is None else _estimate(one.exponent, "the exponent", "1"),
        "valley": {"low": one.valley[0], "high": one.valley[1], "within": one.aim.slack},
        "epochs": one.epochs,
        "without": None if one.plain is None else _decision(one.plain),
        "warnings": list(one.warnings),
    }


def _estimate(one: Estimate, name: str, unit: str) -> dict[str, Json]:
    values = {key: finite(value, name) for key, value in one._asdict().items()}
    return {**values, "unit": unit}


def _side(one: Side) -> dict[str, Json]:
    return {
        "approach": one.approach,
        "params": None if one.params is None else _estimate(one.params, "params", "param"),
        "params_exponent": None if one.exponent is None else _estimate(one.exponent, "the exponent", "1"),
        "regret": one.regret,
        "bias": one.bias,
        "why": one.why,
        "disagrees": one.disagrees,
    }
