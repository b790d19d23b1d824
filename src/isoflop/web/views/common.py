"""What views share: fields of the same name, derivations as parts, numbers that lead to them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from isoflop import __version__
from isoflop.report import answer_html, drawn, ledger_html, say, table_html
from isoflop.report.html import step_id, steps_html
from isoflop.report.markup import html_escape
from isoflop.report.outline import groups_of, headline, interval_words
from isoflop.report.report_page import Origin, document
from isoflop.web.fields import Field, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from isoflop.relation import Answer, Ledger
    from isoflop.relation.answer import Step
    from isoflop.report import Blocks, Cell, Column

_EMPTY_HEAD = re.compile(r"<th scope=\"col\"[^>]*></th>")

MODEL = Field(
    name="model", label="Model", listed="models", example="llama-3.1-70b", hint="A preset, or a size such as 7B.",
)  # fmt: skip
DEVICES = Field(
    name="on",
    label="Devices",
    listed="devices",
    example="64xh100-sxm",
    hint="A chip by name, with a number: 64xh100-sxm.",
)
PRICE = (
    Field(name="price", label="Price of your own", hint="'$2/chip/h'; otherwise the catalogue's."),
    Field(name="commitment", label="Commitment", kind="choice", choices=("on-demand", "1y", "3y", "spot")),
    Field(name="provider", label="Provider", hint="Any part of its name."),
    Field(name="region", label="Region"),
    Field(name="as-of", label="Price as of", hint="A date, such as 2025-03-03."),
)
MORE = Field(
    name="knowns",
    label="Further knowns",
    kind="area",
    hint="One name=value a line, any quantity: pue=1.1",
    example="pue=1.1",
)


def steps_part(answer: Answer, anchor: str, *, unfolded: bool = False) -> Part:
    """The numbered derivation of an answer; step n is `#<anchor>-step-n`."""
    drawn = answer_html(answer, explain=True, anchor=anchor)
    return Part(title="Derivation, step by step", anchor=anchor, html=drawn, open=unfolded)


def chain_part(steps: Sequence[Step], anchor: str, *, unfolded: bool = False) -> Part:
    """A derivation that stands beside an estimate; step n is `#<anchor>-step-n`."""
    return Part(title="Derivation, step by step", anchor=anchor, html=steps_html(steps, anchor=anchor), open=unfolded)


def chain_links(steps: Sequence[Step], refs: Mapping[str, str], anchor: str) -> dict[str, str]:
    """Row label -> the step that gives its quantity, of those in `refs`."""
    numbers = {step.gives: step.number for step in steps}
    return {label: step_id(anchor, numbers[name]) for label, name in refs.items() if name in numbers}


def report_page(found: object) -> str:
    """The report of an answer as a page that needs nothing beside itself: question, charts, derivation, Methods."""
    return document(drawn(found), Origin(version=__version__, date=datetime.now(tz=UTC).date().isoformat()))


def hovers(answer: Answer, anchor: str) -> dict[str, str]:
    """Formula and source of every step, by its place in the page."""
    return step_words(answer.steps, anchor)


def step_words(steps: Iterable[Step], anchor: str) -> dict[str, str]:
    """The same of any steps."""
    return {
        step_id(anchor, line.number): "\n".join(
            part
            for part in (
                f"{line.quantity} = {line.formula}" if line.formula else line.quantity,
                line.remark,
                "; ".join(line.sources),
            )
            if part
        )
        for group in groups_of(steps)
        for line in group.lines
    }


def step_links(blocks: Blocks, anchor: str) -> dict[str, str]:
    """Row label -> the step that its reference names."""
    return {row.label: f"{anchor}-step-{row.ref.strip('[]')}" for row in blocks.rows if row.ref.strip("[]").isdigit()}


def ledger_part(ledger: Ledger, anchor: str, *, title: str = "", unfolded: bool = False) -> Part:
    """A ledger as a part of the page."""
    return Part(title=title or ledger.title, anchor=anchor, html=ledger_html(ledger), open=unfolded)


def ledger_words(ledger: Ledger, most: int = 6) -> str:
    """A ledger in a line: the quantity is the sum of its terms, the largest first; and its sources."""
    terms = sorted((one for one in ledger.terms if one.value), key=lambda one: -abs(one.value))
    shown = [f"{one.name} {say(one.value, ledger.quantity)}" for one in terms[:most]]
    rest = [f"{len(terms) - most} more"] if len(terms) > most else []
    total = f"{ledger.quantity} = {say(ledger.total, ledger.quantity)} = {' + '.join([*shown, *rest])}"
    return "\n".join(part for part in (total, "; ".join(ledger.sources)) if part)


def table_part(
    title: str, anchor: str, table: tuple[Sequence[Column | str], Iterable[Sequence[Cell]]], *, unfolded: bool = False
) -> Part:
    """A table as a part of the page."""
    drawn = _EMPTY_HEAD.sub("<td></td>", table_html(*table))  # a head that says nothing is none to who listens
    return Part(title=title, anchor=anchor, html=drawn, open=unfolded)


def list_part(title: str, anchor: str, lines: Iterable[str], *, unfolded: bool = False) -> Part:
    """Numbered sentences as a part of the page."""
    drawn = "".join(f"<li>{html_escape(text)}</li>" for text in lines)
    return Part(title=title, anchor=anchor, html=f'<ol class="steps">{drawn}</ol>', open=unfolded)


def linked(blocks: Blocks, places: Mapping[str, str], usual: str = "") -> dict[str, str]:
    """Row label -> anchor, by the beginnings of labels in `places`; else `usual`, where that is said."""
    found = {}
    for row in blocks.rows:
        place = next((anchor for start, anchor in places.items() if row.label.startswith(start)), usual)
        if place:
            found[row.label] = place
    return found


def said(answer: Answer) -> tuple[str, str]:
    """The answer as people read it, and its interval."""
    return headline(answer), interval_words(answer)
