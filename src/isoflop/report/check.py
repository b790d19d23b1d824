"""Claims held against each other, drawn: text, Markdown, JSON; and the table of many rows."""

from __future__ import annotations

import re
from math import log10, sqrt
from typing import TYPE_CHECKING

from isoflop.ask import MAIN, USUAL_MFU
from isoflop.relation.reconciliation import LEVEL
from isoflop.report.blocks import Blocks, Section, blocks_text
from isoflop.report.json import SCHEMA_VERSION
from isoflop.report.layout import Paper, hang
from isoflop.report.markup import markdown_text
from isoflop.report.table import Column, table_markdown, table_text
from isoflop.report.words import base_unit, finite, number, say, say_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.ask import CheckResult, RowResult
    from isoflop.relation.reconciliation import Implied, Judged, Meeting, Reconciliation
    from isoflop.report.json import Json
    from isoflop.report.table import Cell

COLUMNS = (
    Column(name="claim"),
    Column(name="said"),
    Column(name="reconciled"),
    Column(name="pull", right=True),
    Column(name="others imply"),
)
ROW_COLUMNS = (
    Column(name="name"),
    Column(name="verdict"),
    Column(name="factor", right=True),
    Column(name="suspects"),
    Column(name="flops_over_6nd", right=True),
    Column(name="reason"),
    Column(name="note"),
)

_LEGEND = (
    "x/1.08: 90 % lie within a factor of 1.08 of it. pull: from said to reconciled, in standard deviations. "
    "*: nobody claims it; listed or assumed, see below."
)
_UNIT = re.compile(r"( |/).*$")
_BARE = re.compile(r"[-+\d.,_eE\s]+(to[-+\d.,_eE\s]+)?")
_LOUD = ("Suspect", "Impossible", "Mind")
_INDENT = "  "
_LONGEST = 16
_MOST_FOLLOWING = 4


def check_text(result: CheckResult, *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """The check for a terminal: the verdict, every claim, what is suspect and why, what was assumed."""
    paper = Paper(width=width, color=color, ascii_only=ascii_only)
    paint = paper.loud if result.verdict == "contradictory" else paper.strong
    lines = [paint(line) for line in hang(paper.text(headline(result)), paper.columns)]
    if result.dof:
        lines += hang(paper.text(figures(result)), paper.columns, _INDENT)
    parts = ["\n".join(lines)]
    if result.dof:
        table = table_text(COLUMNS, claim_rows(result), width=paper.columns, color=color, ascii_only=ascii_only)
        parts.append("\n".join([table, *(paper.faint(line) for line in hang(_LEGEND, paper.columns, _INDENT))]))
    sections = Blocks(
        sections=tuple(Section(heading=head, lines=lines, loud=head in _LOUD) for head, lines in told(result))
    )
    if sections.sections:
        parts.append(blocks_text(sections, width=width, color=color, ascii_only=ascii_only))
    return "\n\n".join(parts)


def check_markdown(result: CheckResult) -> str:
    """The check in Markdown: the same parts as `check_text`."""
    parts = [f"**{markdown_text(headline(result))}**"]
    if result.dof:
        parts += [markdown_text(figures(result)), table_markdown(COLUMNS, claim_rows(result)), markdown_text(_LEGEND)]
    for head, lines in told(result):
        parts.append(f"**{head}**  \n" + "  \n".join(map(markdown_text, lines)))
    return "\n\n".join(parts)


def headline(result: CheckResult) -> str:
    """The verdict in one sentence."""
    return {
        "untested": "Untested: nothing holds these claims against each other.",
        "consistent": "Consistent: these claims can all be true.",
        "contradictory": "Contradictory: these claims cannot all be true.",
    }[result.verdict]


def figures(result: CheckResult) -> str:
    """How far the claims miss each other, beside what chance does."""
    degrees = "degree" if result.dof == 1 else "degrees"
    chi2 = number(float(f"{result.chi2:.3g}"))
    by_chance = chance(result.p)
    return f"chi² = {chi2} on {result.dof} {degrees} of freedom: chance alone misses by as much {by_chance}"


def chance(p: float) -> str:
    """How often chance alone does as much.

    >>> chance(0.5815), chance(3.2e-5), chance(2e-54)
    ('58 times in 100 (p = 0.58)', 'less than once in 10,000 (p = 3.2e-05)', 'less than once in 10^15 (p < 1e-15)')
    """
    if p >= 0.01:
        return f"{100 * p:.0f} times in 100 (p = {p:.2g})"
    if p < 1e-15:
        return "less than once in 10^15 (p < 1e-15)"
    power = int(-log10(p))
    rarely = f"{10**power:,}" if power < 7 else f"10^{power}"
    return f"less than once in {rarely} (p = {p:.2g})"


def claim_rows(result: CheckResult) -> list[tuple[Cell, ...]]:
    """One row a claim, then one for each prior that took part."""
    ordered = sorted(result.found.claims, key=lambda claim: claim.rank != "given")
    return [
        (
            claim.quantity if claim.rank == "given" else f"{claim.quantity}*",
            _said(claim),
            _beside(claim, claim.value, claim.low, claim.high) if claim.tested else "not tested",
            f"{claim.pull:+.1f}" if claim.tested else "",
            _beside(claim, *claim.implied) if claim.implied is not None else "",
        )
        for claim in ordered
    ]


def _said(claim: Judged) -> str:
    """A claim as it was written where that says enough, else in people's units."""
    fact, spread = claim.fact, claim.fact.spread
    if claim.rank == "given" and not fact.source and 0 < len(fact.text) <= _LONGEST and not _BARE.fullmatch(fact.text):
        return fact.text
    if spread.is_point or claim.rank != "given":
        return _amount(claim.said, claim.quantity)
    return say_interval(spread.low, spread.high, claim.quantity, hard=spread.is_hard)


def _amount(value: float, name: str) -> str:
    """A value for a narrow column: a long unit that is the quantity's own goes without saying."""
    text, base = say(value, name), base_unit(name)
    return text if len(text) <= _LONGEST else text.removesuffix(f" {base}")


def _beside(claim: Judged, value: float, low: float, high: float) -> str:
    """A value in a column beside what was said, without the unit where that is the same."""
    text = _amount(value, claim.quantity)
    unit = _UNIT.search(text)
    if unit is not None and unit.group() != " %" and _said(claim).endswith(unit.group()):
        text = text[: unit.start()]
    return f"{text} {_within(low, high, claim.quantity)}"


def _around(value: float, low: float, high: float, name: str) -> str:
    return f"{say(value, name)} {_within(low, high, name)}"


def _within(low: float, high: float, name: str) -> str:
    return f"x/{sqrt(finite(high, name) / finite(low, name)):.3g}"


def told(result: CheckResult) -> list[tuple[str, tuple[str, ...]]]:
    """What is to be said in words, by heading, in the order in which people need it."""
    found = result.found
    parts = [
        ("Suspect", suspect_lines(found) if found.verdict == "contradictory" and found.p < LEVEL else ()),
        ("Impossible", tuple(_alarm_words(alarm, found) for alarm in found.alarms)),
        ("Likely", result.reasons),
        ("Follows", _follows(found)),
        ("To test them", (f"claim one more of: {', '.join(result.completes)}",) if result.completes else ()),
        ("Assumed", _assumed(found)),
        ("Mind", result.warnings),
    ]
    return [(head, tuple(lines)) for head, lines in parts if lines]


def suspect_lines(found: Reconciliation) -> tuple[str, ...]:
    """Who may be wrong and by how much, what each would have to be, and what the rest would have to be otherwise."""
    tied = [claim for claim in found.tied if claim.implied is not None]
    given = [claim for claim in tied if claim.rank == "given"]
    assumed = [claim for claim in tied if claim.rank != "given"]
    who = [claim.quantity for claim in given or assumed]
    lines = [f"{_one_of(who)} off by about x{_factor(found.factor)}."]
    for claim in given:
        assert claim.implied is not None
        direction = "low" if claim.off > 0 else "high"
        due = _around(*claim.implied, claim.quantity)
        lines.append(f"{claim.quantity}: said {_said(claim)}, too {direction}; the others imply {due}")
    if given and assumed:
        names = ", ".join(f"{claim.quantity} = {_amount(claim.said, claim.quantity)}" for claim in assumed)
        lines.append(f"Or what is listed or assumed does not hold here: {names}.")
    lines += _otherwise(found, given)
    if tied and not tied[0].restores:
        lines.append("Dropping one of them does not mend it: more than one claim is wrong.")
    return tuple(lines)


def _one_of(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} is"
    return f"One of {', '.join(names[:-1])} and {names[-1]} is"


def _factor(factor: float) -> str:
    return f"{finite(factor, 'the factor'):.2g}" if factor < 1e4 else f"{factor:.1e}"


def _otherwise(found: Reconciliation, suspects: Sequence[Judged]) -> list[str]:
    """If the suspects were right, what the claims they meet with would have to be."""
    meeting: Meeting | None = found.meeting
    if meeting is None or not suspects:
        return []
    named = {claim.quantity for claim in suspects}
    others = [
        claim
        for claim in found.claims
        if claim.quantity in meeting.powers and claim.quantity not in named and claim.rank == "given"
    ]
    words = [
        f"{claim.quantity} would have to be {_amount(meeting.would_be(claim), claim.quantity)}" for claim in others
    ]
    return [f"If {'they are' if len(suspects) > 1 else 'it is'} right, {' or '.join(words)}."] if words else []


def _alarm_words(alarm: Implied, found: Reconciliation) -> str:
    named = [claim for claim in found.claims if claim.quantity in alarm.powers and claim.rank == "given"]
    among = f" {_one_of([claim.quantity for claim in named])} off." if named else ""
    alone = [claim.quantity for claim in named if not claim.tested]
    if len(alone) < len(named) and alone:
        among += f" The other claims do not test {' and '.join(alone)}."
    usual = ""
    if alarm.quantity == "mfu":
        usual = f"; published runs reach {say_interval(*USUAL_MFU, 'mfu')}"
    return (
        f"{alarm.quantity} would have to be {say(alarm.value, alarm.quantity)}, but cannot exceed 100 %{usual}.{among}"
    )


def _follows(found: Reconciliation) -> tuple[str, ...]:
    """What the claims determine beside themselves, where they hold together."""
    if found.verdict == "contradictory":
        return ()
    chosen = [one for name in MAIN for one in found.implied if one.quantity == name][:_MOST_FOLLOWING]
    texts = [f"{one.quantity} = {_around(one.value, one.low, one.high, one.quantity)}" for one in chosen]
    return (", ".join(texts),) if texts else ()


def _assumed(found: Reconciliation) -> tuple[str, ...]:
    return tuple(
        f"{prior.quantity} = {say(prior.said, prior.quantity)}, x/{_width(prior):.3g} at 90 %"
        + (f": {prior.fact.note}" if prior.fact.note else "")
        + (f" [{prior.fact.source}]" if prior.fact.source else "")
        for prior in found.priors
    )


def _width(prior: Judged) -> float:
    spread = prior.fact.spread
    return 1.01 if spread.is_point else sqrt(spread.high / spread.low)


def check_json(result: CheckResult) -> dict[str, Json]:
    """The check as one object: verdict, chi2, dof, p, suspects with the factor, every claim, what was assumed."""
    found = result.found
    suspects: list[Json] = list(found.suspects)
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": found.verdict,
        "chi2": finite(found.chi2, "chi2"),
        "dof": found.dof,
        "p": found.p,
        "factor": finite(found.factor, "the factor"),
        "suspects": suspects,
        "likely": list(result.reasons),
        "claims": [_claim_json(claim) for claim in found.claims],
        "implied": [_implied_json(one) for one in found.implied],
        "alarms": [_implied_json(one) for one in found.alarms],
        "completes": list(result.completes),
        "warnings": list(result.warnings),
    }


def _claim_json(claim: Judged) -> dict[str, Json]:
    spread, name = claim.fact.spread, claim.quantity
    implied: Json = None
    if claim.implied is not None:
        implied = _triple(claim.implied, name)
    return {
        "quantity": name,
        "unit": base_unit(name),
        "rank": claim.rank,
        "said": _triple((claim.said, spread.low, spread.high), name),
        "reconciled": _triple((claim.value, claim.low, claim.high), name),
        "pull": finite(claim.pull, f"the pull of {name}"),
        "tested": claim.tested,
        "implied": implied,
        "restores": claim.restores,
        "text": claim.fact.text,
        "source": claim.fact.source,
        "note": claim.fact.note,
    }


def _triple(amounts: tuple[float, float, float], name: str) -> dict[str, Json]:
    value, low, high = (finite(amount, name) for amount in amounts)
    return {"value": value, "low": low, "high": high}


def _implied_json(one: Implied) -> dict[str, Json]:
    return {
        "quantity": one.quantity,
        "unit": base_unit(one.quantity),
        **_triple((one.value, one.low, one.high), one.quantity),
    }


def row_table(rows: Iterable[RowResult]) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
    """Columns and rows of many checks, for the table renderers."""
    return ROW_COLUMNS, [
        (row.name, row.verdict, row.factor, ", ".join(row.suspects), row.flops_over_6nd, row.reason, row.note)
        for row in rows
    ]


def rows_text(rows: Sequence[RowResult], *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """Many checks for a terminal: a line each, then its suspects, the likely reason and what the row itself notes."""
    paper = Paper(width=width, color=color, ascii_only=ascii_only)
    lines = []
    for row in rows:
        factor = f" x{_factor(row.factor)}" if row.factor is not None else ""
        head = f"{row.name}: {row.verdict}{factor}"
        head += f" ({', '.join(row.suspects)})" if row.suspects else ""
        paint = paper.loud if row.verdict == "contradictory" else paper.strong
        lines += [paint(line) for line in hang(paper.text(head), paper.columns, "", _INDENT)]
        for text in (row.reason, f"it notes: {row.note}" if row.note else ""):
            lines += hang(paper.text(text), paper.columns, _INDENT * 2) if text else []
    return "\n".join([*lines, ""])
