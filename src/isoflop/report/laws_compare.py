"""Two laws held against each other, drawn: each difference with its interval and whether it can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.blocks import Blocks, Row, Section, blocks_html, blocks_markdown, blocks_text
from isoflop.report.words import change, finite, percent, say

if TYPE_CHECKING:
    from isoflop.laws import Comparison, Difference, Estimate
    from isoflop.report.json import Json


def compare_blocks(found: Comparison) -> Blocks:
    """A row a difference."""
    rows = tuple(_row(one, found) for one in found.differences)
    drawn = "the same resamples" if found.paired else "draws of each law's own"
    lines = [f"differences are second less (or over) first; {percent(found.level)} intervals from {drawn}"]
    lines += [found.why] if found.why else []
    silent = [one.name for one in (found.first, found.second) if not len(one.draws)]
    lines += [f"no spread is known of {' and '.join(silent)}: that part of the interval is missing"] if silent else []
    title = f"{found.first.name} and {found.second.name}"
    return Blocks(title=title, rows=rows, sections=(Section(heading="Mind", lines=tuple(lines)),))


def _row(one: Difference, found: Comparison) -> Row:
    both = f"{_say(one.first.value, one)} and {_say(one.second.value, one)}"
    if one.change is None:
        return Row(
            label=one.name,
            value="not compared",
            remark=f"{both}; {one.refused}" if "per token" not in one.refused else both,
        )
    told = "told apart" if one.told else "not told apart"
    if not len(found.first.draws) and not len(found.second.draws):
        told = "no interval"
    return Row(label=one.name, value=_change(one), remark=f"{both}; {told}")


def _change(one: Difference) -> str:
    assert one.change is not None
    point, low, high = one.change
    if one.is_ratio:
        sure = low == point == high
        return change(point) if sure else f"{change(point)} ({change(low)} to {change(high)})"
    unit = f" {one.unit}" if one.unit else ""
    return f"{point:+.3g}{unit}" if low == point == high else f"{point:+.3g} ({low:+.3g} to {high:+.3g}){unit}"


def _say(value: float, one: Difference) -> str:
    return say(value, one.quantity) if one.quantity in {"params", "tokens"} else f"{value:.4g}"


def compare_text(
    found: Comparison, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The comparison for a terminal."""
    del explain
    return blocks_text(compare_blocks(found), width=width, color=color, ascii_only=ascii_only)


def compare_markdown(found: Comparison) -> str:
    """The comparison as Markdown."""
    return blocks_markdown(compare_blocks(found))


def compare_html(found: Comparison) -> str:
    """The comparison as one self-contained page."""
    from isoflop.report.html import page

    return page("isoflop laws compare", blocks_html(compare_blocks(found)))


def compare_json(found: Comparison) -> dict[str, Json]:
    """The comparison for scripts."""
    from isoflop.report.json import SCHEMA_VERSION

    return {
        "schema_version": SCHEMA_VERSION,
        "laws": [found.first.name, found.second.name],
        "interval": found.level,
        "paired": found.paired,
        "loss_unit": found.loss_unit or None,
        "differences": [_object(one) for one in found.differences],
        "warnings": [found.why] if found.why else [],
    }


def _object(one: Difference) -> dict[str, Json]:
    return {
        "name": one.name,
        "first": _estimate(one.first),
        "second": _estimate(one.second),
        "change": None if one.change is None else _estimate(one.change),
        "is_ratio": one.is_ratio,
        "told": one.told,
        "unit": one.unit,
        "refused": one.refused,
    }


def _estimate(one: Estimate) -> dict[str, Json]:
    return {key: finite(value, "a compared figure") for key, value in one._asdict().items()}
