"""The fit of a scaling law in every form: its constants with intervals, and what its checks say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.report.blocks import Blocks, Section, blocks_html, blocks_markdown, blocks_text
from isoflop.report.drawings import Drawn, Story
from isoflop.report.table import Column, table_html, table_markdown, table_text

if TYPE_CHECKING:
    from isoflop.laws import Fit
    from isoflop.report.json import Json
    from isoflop.report.table import Cell

LEVEL = 0.8
"""Of the intervals."""


def drawn(fit: Fit) -> Drawn:
    """Every form of a fit."""
    return Drawn(
        text=partial(_text, fit),
        json=partial(_json, fit),
        markdown=lambda _: f"{table_markdown(*constants(fit))}\n\n{blocks_markdown(fit_blocks(fit))}",
        story=lambda: Story(
            title=f"{fit.shape.name}, fitted",
            answer=table_html(*constants(fit), caption=_head(fit)) + blocks_html(fit_blocks(fit)),
        ),
        table=partial(constants, fit),
    )


def _head(fit: Fit) -> str:
    origin = fit.origin
    return f"{fit.shape.name}: {origin.used} rows of {origin.groups} runs; {fit.objective}; intervals {LEVEL:.0%}"


def constants(fit: Fit) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
    """The constants with their intervals, and the exponent of the best size where there is one."""
    columns = (
        Column(name="constant"), Column(name="value", right=True, written=_digits),
        Column(name="low", right=True, written=_digits), Column(name="high", right=True, written=_digits),
    )  # fmt: skip
    ends = fit.interval(LEVEL)
    rows: list[tuple[Cell, ...]] = [
        (name, float(value), *(float(end) for end in ends[name])) for name, value in fit.constants.items()
    ]
    found = fit.exponent_interval(LEVEL)
    if found is not None:
        rows.append(("params ~ FLOP^", *map(float, found)))
    return columns, rows


def _digits(value: float) -> str:
    return f"{value:.5g}"


def fit_blocks(fit: Fit) -> Blocks:
    """How many checks passed, and what those say that did not."""
    counted = {status: sum(one.status == status for one in fit.checks) for status in ("pass", "warn", "fail")}
    said = f"{counted['pass']} passed, {counted['warn']} warn, {counted['fail']} failed"
    loud = tuple(f"{one.name}: {one.says}" for one in fit.checks if one.status in {"warn", "fail"})
    notes = (*fit.origin.guesses, *fit.origin.notes)
    sections = [Section(heading="Checks", lines=(said, *loud), loud=counted["fail"] > 0)]
    sections += [Section(heading="Mind", lines=notes)] if notes else []
    return Blocks(sections=tuple(sections))


def _text(fit: Fit, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    del explain
    table = table_text(*constants(fit), width=width, color=color, ascii_only=ascii_only)
    below = blocks_text(fit_blocks(fit), width=width, color=color, ascii_only=ascii_only)
    return f"{_head(fit)}\n\n{table}\n\n{below}"


def _json(fit: Fit) -> dict[str, Json]:
    from isoflop.laws.fit_file import fit_object

    return fit_object(fit, level=LEVEL)  # type: ignore[return-value]  # plain data
