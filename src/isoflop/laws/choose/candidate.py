"""What is tried for a table of runs: the forms whose columns vary in it, on all runs and on fewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.laws.curves import Farseer
from isoflop.laws.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws.runs import BoolArray, Runs
    from isoflop.laws.shape import Shape

FORMS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("params", "tokens"), ("chinchilla-tied", "chinchilla", "interaction", "farseer", "kaplan-joint")),
    (("params", "tokens", "unique_tokens"), ("data-constrained", "overfitted")),
    (("params", "tokens", "learning_rate", "batch_tokens"), ("tuned",)),
    (("params", "tokens", "learning_rate", "batch_sequences"), ("tuned-sequences",)),
    (("width", "depth", "tokens"), ("width-depth",)),
    (("params", "experts"), ("moe-clark", "moe-power")),
    (("params", "tokens", "experts"), ("moe-tokens",)),
    (("params", "tokens", "granularity"), ("moe-fine-grained",)),
    (("params", "tokens", "weight_bits", "activation_bits", "kv_bits"), ("precision",)),
)
"""Columns that have to vary, and the forms that are tried then."""

PLAIN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("flops", ("power-flops", "kaplan-flops")),
    ("params", ("power-params", "kaplan-params")),
    ("tokens", ("power-tokens", "kaplan-tokens")),
)
"""What is left where no form of several columns can be fitted: one column, the first that varies."""

UNLIKELY = {"kaplan-joint": 0.2}
"""Weights before any evidence: without a floor, Kaplan's joint law predicted worst of all on every study at hand."""

SIMPLER = 0.1
"""A constant more costs this much in the logarithm of the weight."""

TRIMS = ("", "low-loss", "dear")
LOW_LOSS, DEAR = 0.8, 0.7
"""Shares of the runs that are kept: those of the lowest loss, those that took the most compute."""

_LEAST_TRIMMED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A form, and which runs it is fitted to: "" all, "low-loss" or "dear" only a share of them."""

    shape: Shape
    trim: str = ""
    share: float = 1.0

    @property
    def label(self) -> str:
        """How tables call it."""
        return form_label(self.shape) + {"": "", "low-loss": ", low losses", "dear": ", dear runs"}[self.trim]

    @property
    def prior(self) -> float:
        """Its weight before any evidence; a form that is tried in several ways shares one between them."""
        simple = float(np.exp(-SIMPLER * len(self.shape.coordinates)))
        return UNLIKELY.get(self.shape.name, 1.0) * simple * self.share

    def kept(self, runs: Runs) -> BoolArray:
        """The runs that it is fitted to, of those given."""
        return trimmed(runs, self.trim)


def trimmed(runs: Runs, trim: str) -> BoolArray:
    """The runs that a trim keeps."""
    if trim == "low-loss":
        return np.asarray(runs.loss <= np.quantile(runs.loss, LOW_LOSS))
    if trim == "dear":
        return np.asarray(runs.columns["flops"] >= np.quantile(runs.columns["flops"], 1.0 - DEAR))
    return np.ones(runs.rows, dtype=bool)


def candidates(runs: Runs) -> tuple[Candidate, ...]:
    """What to try; each form once on all runs, and, where there are enough, on fewer of them."""
    found = []
    for columns, forms in FORMS:
        if varies(runs, columns):
            found += [shape for name in forms for shape in _in_units(SHAPES[name], runs)]
    known = {"experts", "learning_rate"} & {name for name in runs.columns if varies(runs, (name,))}
    if not found or known == {"experts"}:
        found += [SHAPES[name] for column, forms in PLAIN[1:2] if varies(runs, (column,)) for name in forms]
    trims = TRIMS if runs.rows >= _LEAST_TRIMMED and "flops" in runs.columns else ("",)
    tried = [(shape, trim) for shape in found for trim in trims if not trim or shape.name not in WHOLE]
    ways = [shape.name for shape, _ in tried]
    return tuple(Candidate(shape=shape, trim=trim, share=1.0 / ways.count(shape.name)) for shape, trim in tried)


def plain_candidates(runs: Runs) -> tuple[Candidate, ...]:
    """Laws of one column: the last resort."""
    for column, forms in PLAIN:
        if varies(runs, (column,)):
            return tuple(Candidate(shape=SHAPES[name]) for name in forms)
    return ()


def varies(runs: Runs, columns: Sequence[str]) -> bool:
    """Whether the runs have all of these columns, and none of them is the same everywhere or gone."""
    for name in columns:
        if name not in runs.columns:
            return False
        values = runs.columns[name]
        values = values[np.isfinite(values)]
        if not len(values) or float(np.ptp(values)) <= 1e-9 * float(np.abs(values).max()):
            return False
        if name == "unique_tokens" and not (runs.columns["tokens"] > 1.05 * runs.columns[name]).any():
            return False
    return True


WHOLE = ("interaction", "farseer", "overfitted", "tuned", "tuned-sequences", "kaplan-joint")
"""Forms that are tried on all runs only: those that bend where a plain form would shed runs (on fewer runs they
predicted worse), and one that is hardly ever right."""


def form_label(shape: Shape) -> str:
    """The name of a form, with the unit of tokens where that makes it another one."""
    if isinstance(shape, Farseer) and shape.tokens_unit != Farseer().tokens_unit:
        return f"farseer, tokens in {shape.tokens_unit:.2g}"
    return shape.name


def _in_units(shape: Shape, runs: Runs) -> list[Shape]:
    """Farseer's form from the middle of the runs, and from the fewest tokens: no unit of the table moves these."""
    if not isinstance(shape, Farseer):
        return [shape]
    params, tokens = (np.log(runs.columns[name]) for name in ("params", "tokens"))
    size = float(np.exp(params.mean()))
    return [Farseer(params_unit=size, tokens_unit=float(np.exp(at))) for at in (tokens.mean(), tokens.min())]
