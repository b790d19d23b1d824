"""The tables of the accuracy page: errors by source, and by what the constants owe to which rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop.accuracy.validate import macro_of, scores_of
from isoflop.errors import BadFile
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.accuracy.predict import Prediction
    from isoflop.accuracy.rows import Row
    from isoflop.accuracy.validate import Report, Score

FILE = Path(__file__).with_name("groups.toml")

USES = {
    "fitted": "constants were fitted on these",
    "seen": "a constant was chosen with these in view",
    "apart": "kept apart",
}


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `groups.toml`; the meaning of each field stands at its head."""

    name: str
    use: Literal["fitted", "seen", "apart"]
    framework: str = ""
    pipeline: bool | None = None
    experts: bool | None = None
    owes: str = ""

    def holds(self, row: Row) -> bool:
        """Whether the row has the marks of this group."""
        found = row.settings
        return (
            self.framework in found.framework.lower()
            and self.pipeline in {None, (found.pp or 1) > 1}
            and self.experts in {None, bool(found.experts)}
        )


@cache
def groups() -> tuple[Group, ...]:
    """All groups, in the order in which they are tried."""
    try:
        return msgspec.convert(read_toml(FILE), dict[str, tuple[Group, ...]])["training"]
    except msgspec.ValidationError as error:
        raise BadFile(f"{FILE}: {error}") from error


def group_of(row: Row) -> Group:
    """The group of a row: the first whose marks it has; the last holds all."""
    return next(group for group in groups() if group.holds(row))


def grouped_scores(report: Report) -> tuple[tuple[Group, Score], ...]:
    """A score for each group that has measured rows, in the order of the file."""
    by_group: dict[Group, list[tuple[Row, Prediction]]] = {}
    for row, one in zip(report.rows, report.predictions, strict=True):
        by_group.setdefault(group_of(row), []).append((replace(row, source=""), one))
    found = []
    for group in groups():
        pairs = by_group.get(group, [])
        scores = scores_of([row for row, _ in pairs], [one for _, one in pairs])
        found += [(group, score) for score in scores]
    return tuple(found)


def training_tables(report: Report) -> str:
    """The Markdown of the page: by group, by source, decisions, and why rows have no prediction."""
    groups_table = table(
        ("rows", "their use", "constants they decided", *_HEAD),
        [(group.name, USES[group.use], group.owes, *_cells(score)) for group, score in grouped_scores(report)],
    )
    apart = macro_of([score for group, score in grouped_scores(report) if group.use == "apart"])
    scores = [*report.scores, *([report.macro] if report.macro else [])]
    parts = [
        groups_table,
        f"Kept apart, every group alike: {_sentence(apart)}." if apart else "",
        table(("source", *_HEAD), [(score.source, *_cells(score)) for score in scores]),
        _decisions(report),
        table(("rows", "status", "reason"), _reasons(report)),
    ]
    return "\n\n".join(part for part in parts if part)


_HEAD = ("n", "median", "mean", "p90", "max", "coverage", "width")


def _cells(score: Score) -> tuple[str, ...]:
    """The figures of a score in percent."""
    errors = (score.median, score.mean, score.p90, score.worst)
    return (str(score.rows), *(f"{100 * error:.1f} %" for error in errors), *_interval(score))


def _interval(score: Score) -> tuple[str, str]:
    return f"{100 * score.coverage:.0f} %", f"{100 * score.width:.0f} %"


def _sentence(score: Score) -> str:
    return f"median {100 * score.median:.1f} %, mean {100 * score.mean:.1f} %, largest {100 * score.worst:.1f} %"


def _decisions(report: Report) -> str:
    fits = report.fits
    rates = (fits.false_fit_rate, fits.false_fit_rate_middle, fits.false_refusal_rate)
    by_end, by_middle, refused = (f"{100 * rate:.2f} %" for rate in rates)
    return (
        f"Every measured row against the usable memory of every device of the catalogue: of {fits.too_large:,} pairs "
        f"that do not fit, {fits.false_fits} ({by_end}) are predicted to fit by the upper end of the interval, "
        f"{fits.false_fits_middle} ({by_middle}) by its middle; of {fits.fitting:,} that fit, {fits.false_refusals} "
        f"({refused}) are predicted not to by its lower end. {fits.ran:,} runs are known to have run on their own "
        f"device, measured for memory or not: of {fits.ran_refused} of them the lower end says that they do not fit."
    )


def _reasons(report: Report) -> list[tuple[str, ...]]:
    """How many rows have no prediction for which reason, the commonest first; what differs by row is left out."""
    found: dict[tuple[str, str], int] = {}
    for one in report.predictions:
        if one.status != "ok":
            key = one.status, one.reason.partition("; assumed")[0]
            found[key] = found.get(key, 0) + 1
    listed = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [(str(times), status, reason) for (status, reason), times in listed]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; empty without rows."""
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])
