"""An audit drawn for people: the document marked up, what is wrong and why, the result put right and what drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import shorten
from isoflop.quantity import write_interval
from isoflop.report.blocks import Blocks, Row, Section, blocks_text
from isoflop.report.check import figures as check_figures
from isoflop.report.check import headline as check_headline
from isoflop.report.layout import Paper, clean, hang, width_of
from isoflop.report.markup import html_escape, markdown_text
from isoflop.report.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isoflop.audit import Corrected, Finding, Needed, Report, Step
    from isoflop.quantity import Unit

_INDENT = "  "
_MOST_DRIVERS = 5
_LONGEST = 110
_SENTENCE = 200
_SAME = 8  # characters by which a label that is the start of its sentence is known
_NAME = 40
_MOST_MENDED = 8
_SMALLEST_SHARE = 0.005
_MARKS = {"wrong": "WRONG", "inherits": "inherits", "note": "note", "ok": "ok", "given": ""}


def audit_text(
    report: Report,
    *,
    needed: Sequence[Needed] = (),
    width: int = 80,
    color: bool = False,
    ascii_only: bool = False,
) -> str:
    """The audit for a terminal of `width` columns."""
    paper = Paper(width=width, color=color, ascii_only=ascii_only)
    paint = paper.strong if report.is_clean else paper.loud
    lines = [paint(line) for line in hang(paper.text(headline(report)), paper.columns)]
    lines.append("")
    widest = max((len(number) for _, number, _, _ in marked(report)), default=0)
    for mark, number, head, reasons in marked(report):
        lines += _step_lines(mark, f"{_INDENT}{number:>{min(widest, 5)}}{_INDENT}", (head, reasons), paper)
    parts = ["\n".join(lines).rstrip()]
    blocks = Blocks(rows=result_rows(report), sections=tuple(sections(report, needed)))
    if blocks.rows or blocks.sections:
        parts.append(blocks_text(blocks, width=width, color=color, ascii_only=ascii_only))
    return "\n\n".join(parts) + "\n"


def _step_lines(mark: str, lead: str, told: tuple[str, Sequence[str]], paper: Paper) -> list[str]:
    word, (head, reasons) = paper.text(_MARKS[mark]), told
    text = hang(paper.text(head), paper.columns - (width_of(word) + 2 if word else 0), lead)
    paint = {"wrong": paper.loud, "ok": paper.faint}.get(mark, paper.strong)
    if word:
        gap = " " * max(2, paper.columns - width_of(text[0]) - width_of(word))
        text[0] += gap + paint(word)
    below = [line for reason in reasons for line in hang(paper.text(reason), paper.columns, " " * len(lead) + _INDENT)]
    return [*text, *below]


def headline(report: Report) -> str:
    """What it is and how it stands, in one line."""
    wrong = [finding for finding in report.findings if finding.is_wrong]
    steps = len(report.document.steps)
    notes = sum(finding.level == "note" for finding in report.findings)
    counted = f"{steps} step{'s' if steps != 1 else ''}"
    told = f"{len(wrong)} wrong" if wrong else "nothing wrong"
    more = f", {notes} note{'s' if notes != 1 else ''}" if notes else ""
    unread = len(report.document.unread)
    return f"{report.document.name}: {counted}, {told}{more}{f', {unread} not understood' if unread else ''}"


def marked(report: Report) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Each step: its mark ("wrong", "inherits", "note", "ok", "given"), number, text, and what is to be said of it."""
    by_step: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_step.setdefault(finding.step, []).append(finding)
    lines = report.document.lines
    marks = []
    for step in report.document.steps:
        found = by_step.pop(step.number, [])
        told = tuple(map(finding_words, found))
        marks.append((step.span.line, (_mark(step, found), step.number, step_words(step), told)))
    for number, found in by_step.items():  # of a line that holds no step of its own
        line = found[0].span.line
        text = shorten(clean(lines[line - 1]), most=_SENTENCE) if 0 < line <= len(lines) else ""
        marks.append((line, (_mark(None, found), number, text, tuple(map(finding_words, found)))))
    if lines:
        marks.sort(key=lambda mark: mark[0])
    yield from (mark for _, mark in marks)


def _mark(step: Step | None, found: Sequence[Finding]) -> str:
    if any(finding.is_wrong for finding in found):
        return "wrong"
    levels = {finding.level for finding in found}
    if "inherits" in levels:
        return "inherits"
    if levels:
        return "note"
    return "ok" if step is not None and step.expr is not None else "given"


def step_words(step: Step) -> str:
    """A step on one line: what it is called, how it is computed, what it says; a sentence of prose as it stands."""
    if step.words and clean(step.words)[:_SAME] == clean(step.label)[:_SAME]:
        return shorten(clean(step.words), most=_SENTENCE)
    says = step.says.text if step.says is not None else ""
    named = step.label if step.label != step.number else ""
    how = step.text if step.text not in {says, step.words} else ""
    head = " = ".join(part for part in (named, how, says) if part and not (part == says and says in how))
    told = (step.subject, step.words if step.words != says else "")
    more = ": ".join(part for part in told if part)
    return shorten(f"{head} ({more})" if head and more else head or more, most=_LONGEST)


def name_of(one: Corrected) -> str:
    """What a corrected step is called: its name, or its number where that is a whole sentence."""
    return one.label if len(one.label) <= _NAME else f"step {one.step}"


def finding_words(finding: Finding) -> str:
    """A finding as a sentence: its level and class, and the reason."""
    others = f" Or: {'; '.join(finding.others)}." if finding.others else ""
    return f"[{finding.level}: {finding.kind}] {finding.reason}{others}"


def around(one: Corrected) -> str:
    """A corrected value with its interval, in the unit of the claim."""
    if one.low == one.high:
        return amount(one.value, one.unit)
    return f"{amount(one.value, one.unit)} ({interval(one.low, one.high, one.unit)})"


def amount(value: float, unit: Unit | None) -> str:
    """A value in base units as the document writes such."""
    from isoflop.audit.words import said

    return said(value, unit)


def interval(low: float, high: float, unit: Unit | None) -> str:
    """Both ends in one unit."""
    if unit is None:
        return f"{low:.3g} to {high:.3g}"
    from isoflop.audit.words import COUNTED

    if len(unit.dims) == 1 and unit.dims[0][0] in COUNTED and unit.dims[0][1] == 1 and low > 0:
        return f"{amount(low, unit).partition(' ')[0]} to {amount(high, unit).partition(' ')[0]}"
    return write_interval(low, high, unit)


def result_rows(report: Report) -> tuple[Row, ...]:
    """The result put right, and for the other values that the document names."""
    if report.result is None:
        return ()
    rows = [_result_row("Put right" if report.result.changed else "Result", "", report.result)]
    rows += [_result_row(*other_words(label), one) for label, one in report.alternatives]
    return tuple(rows)


def other_words(label: str) -> tuple[str, str]:
    """What another value of a root is headed with, and how the result with it begins."""
    root, _, other = label.partition(": ")
    return f"With {root}", f"{other}: "


def _result_row(label: str, lead: str, one: Corrected) -> Row:
    remark = ""
    if not lead and one.changed and one.says is not None and one.factor is not None:
        from isoflop.audit.words import times

        remark = f"the document says {amount(one.says, one.unit)}: {times(one.factor)}"
    return Row(label=label, value=f"{lead}{name_of(one)} = {around(one)}", remark=remark)


def sections(report: Report, needed: Sequence[Needed] = ()) -> Iterator[Section]:
    """What was amended, what drives the result, what would narrow it, what was not understood."""
    mended = tuple(mended_lines(report))
    if mended:
        yield Section(heading="Steps put right", lines=mended)
    amends = [one for finding in report.findings for one in finding.amends]
    if amends:
        yield Section(heading="Amended", lines=tuple(f"step {one.step}: {one.words}" for one in amends))
    lines = tuple(driver_lines(report))
    if lines:
        yield Section(heading="What moves it", lines=lines)
    if needed:
        yield Section(heading="To know it better", lines=tuple(map(needed_words, needed)))
    if report.claims is not None and report.claims.dof:
        told = (check_headline(report.claims), check_figures(report.claims))
        yield Section(heading="Claims together", lines=told, loud=report.claims.verdict == "contradictory")
    if report.document.unread:
        unread = report.document.unread
        yield Section(
            heading="Not understood",
            lines=tuple(f"line {one.span.line}: {shorten(one.text, most=_LONGEST)} ({one.why})" for one in unread),
        )


def mended_lines(report: Report) -> Iterator[str]:
    """The steps that are wrong themselves and say something else when put right; the result stands above."""
    wrong = {finding.step for finding in report.findings if finding.is_wrong}
    result = report.result.step if report.result is not None else ""
    found = [one for one in report.corrected if one.step in wrong and one.changed and one.step != result]
    for one in found[:_MOST_MENDED]:
        yield f"{one.step}: {around(one)}"


def driver_lines(report: Report) -> Iterator[str]:
    """What the result depends on: shares of its variance, else elasticities."""
    found = report.sensitivity
    if found is None or not found.drivers:
        return
    uncertain = [one for one in found.drivers if one.share >= _SMALLEST_SHARE]
    unit = report.result.unit if report.result is not None else None
    if uncertain:
        for one in uncertain[:_MOST_DRIVERS]:
            ends = interval(min(one.low, one.high), max(one.low, one.high), unit)
            left = percent(one.left if one.left >= _SMALLEST_SHARE else 0.0)
            moved = f"{percent(one.share)} of the variance, {ends}; known, {left} is left"
            yield f"{shorten(one.label, most=_NAME)}: {moved}"
        return
    moving = [one for one in found.drivers[:_MOST_DRIVERS] if one.elasticity]
    slopes = [f"{shorten(one.label, most=_NAME)} {one.elasticity:+.3g} %" for one in moving]
    if slopes:
        yield f"1 % more of each brings: {', '.join(slopes)}"


def needed_words(one: Needed) -> str:
    """How well an input must be known, in words."""
    now = f"it is known to x/{one.now:.3g}"
    if one.factor is None:
        return f"{one.label}: not enough by itself; known exactly, the result is within x/{one.reached:.3g} ({now})"
    if one.factor >= one.now * (1 - 1e-3):
        return f"{one.label}: known well enough ({now})"
    return f"{one.label}: to be known to x/{one.factor:.3g} ({now})"


def audit_markdown(report: Report, needed: Sequence[Needed] = ()) -> str:
    """The audit in Markdown: the same parts as `audit_text`."""
    parts = [f"**{markdown_text(headline(report))}**"]
    lines = []
    for mark, number, head, reasons in marked(report):
        word = _MARKS[mark]
        bold = f"**{word}** " if mark == "wrong" else f"*{word}* " if word and word != "ok" else ""
        lines.append(f"- {bold}{markdown_text(number)}: {markdown_text(head)}")
        lines += [f"  - {markdown_text(reason)}" for reason in reasons]
    parts.append("\n".join(lines))
    parts += [_row_markdown(row) for row in result_rows(report)]
    parts += [
        f"**{markdown_text(section.heading)}**  \n" + "  \n".join(map(markdown_text, section.lines))
        for section in sections(report, needed)
    ]
    return "\n\n".join(parts) + "\n"


def _row_markdown(row: Row) -> str:
    remark = f"  \n{markdown_text(row.remark)}" if row.remark else ""
    return f"**{markdown_text(row.label)}**: {markdown_text(row.value)}{remark}"


def audit_html(report: Report, needed: Sequence[Needed] = ()) -> str:
    """The audit as a page of its own: the document marked up, charts; nothing is loaded from outside."""
    from isoflop.report.drawn_audit import drawn
    from isoflop.report.report_page import document

    return document(drawn(report, needed))


def audit_fragment(report: Report, needed: Sequence[Needed] = ()) -> str:
    """The audit as a fragment without style."""
    rows = []
    for mark, number, rest, reasons in marked(report):
        kind = ' class="warning"' if mark == "wrong" else ""
        told = "".join(f"<br><small>{html_escape(reason)}</small>" for reason in reasons)
        rows.append(
            f'<tr{kind}><th scope="row">{html_escape(number)}</th><td>{html_escape(rest)}{told}</td>'
            f"<td>{html_escape(_MARKS[mark])}</td></tr>"
        )
    title = html_escape(headline(report))
    parts = [f'<p class="result"><strong>{title}</strong></p>']
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("step", "what it says", "verdict"))
    body = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
    parts.append(f'<div class="wide"><table class="derivation">{body}</table></div>')
    terms = [(row.label, f"{row.value}. {row.remark}" if row.remark else row.value) for row in result_rows(report)]
    terms += [(section.heading, line) for section in sections(report, needed) for line in section.lines]
    parts.append(
        "<dl>" + "".join(f"<dt>{html_escape(head)}</dt><dd>{html_escape(text)}</dd>" for head, text in terms) + "</dl>"
    )
    return f'<section class="isoflop answer">{"".join(parts)}</section>'
