"""The tables of the accuracy page for start-up logs of serving: by figure and framework, and kept apart by family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.accuracy.state_validate import FIGURES, state_scores
from isoflop.accuracy.tables import table

if TYPE_CHECKING:
    from isoflop.accuracy.state_validate import StateReport
    from isoflop.accuracy.validate import Score

SEEN = frozenset(
    {
        "deepseek-v3", "gemma-4-26b-a4b", "gpt-oss-20b", "llama-3-8b", "llama-3.2-3b", "qwen3-14b", "qwen3-235b-a22b",
        "qwen3.5-122b-a10b",
    }
)  # fmt: skip
"""Families whose logs constants of `runtime.toml` were read off; those of all others decided none."""

NAMES = {
    "weights": "weights a device",
    "state": "memory of the cache a device",
    "tokens": "tokens that fit",
    "concurrency": "longest sequences at once",
}
_HEAD = ("n", "median", "mean", "p90", "max", "inside", "width")


def state_tables(report: StateReport) -> str:
    """The Markdown: errors by figure and framework, of families that decided constants and of others, and refusals."""
    every = [(NAMES[figure], score.source, *_cells(score)) for figure in FIGURES for score in report.scores[figure]]
    apart = [row for seen in (True, False) for row in _apart(report, seen=seen)]
    return "\n\n".join(
        (
            table(("figure", "framework", *_HEAD), every),
            table(("families of vLLM's rows", "figure", *_HEAD), apart),
            _refused(report),
        )
    )


def _apart(report: StateReport, *, seen: bool) -> list[tuple[str, ...]]:
    """Scores of vLLM's rows whose family decided constants, or did not."""
    kept = [
        (row, one)
        for row, one in zip(report.rows, report.predictions, strict=True)
        if row.settings.framework == "vllm" and (row.settings.model_family in SEEN) == seen
    ]
    rows, predictions = [row for row, _ in kept], [one for _, one in kept]
    name = "decided constants" if seen else "decided none"
    return [
        (name, NAMES[figure], *_cells(score)) for figure in FIGURES for score in state_scores(rows, predictions, figure)
    ]


def _cells(score: Score) -> tuple[str, ...]:
    errors = (score.median, score.mean, score.p90, score.worst)
    shares = (score.coverage, score.width)
    return (str(score.rows), *(f"{100 * one:.1f} %" for one in errors), *(f"{100 * one:.0f} %" for one in shares))


def _refused(report: StateReport) -> str:
    counted = ", ".join(f"{number} {status}" for status, number in sorted(report.counts().items()))
    return f"{len(report.rows)} rows: {counted}."
