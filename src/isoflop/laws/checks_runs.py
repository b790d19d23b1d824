"""Checks that need only the runs: rows left out, overflow, conventions, schedules, the loss, replicates, grids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit, shorten
from isoflop.laws.checks import Check, judged
from isoflop.laws.resample import group_count

if TYPE_CHECKING:
    from isoflop.laws.checks import Status
    from isoflop.laws.result import Fit
    from isoflop.laws.runs import Runs


ASKED = "not the best of its"
"""How a reason begins for which rows are left out on demand."""


def rows(name: str, fit: Fit | None, runs: Runs) -> Check:
    """How many rows are left out, and why."""
    del fit
    out = int((~runs.usable()).sum())
    asked = sum(count for reason, count in runs.flagged.items() if reason.startswith(ASKED))
    share = (out - asked) / max(runs.rows - asked, 1)
    said = "; ".join(f"{count} {reason}" for reason, count in runs.flagged.items())
    return Check(
        name=name,
        status="pass" if out == asked else "fail" if share > 0.5 else "warn",
        number=share,
        says=f"{out} of {runs.rows} rows left out: {said}" if out else f"all {runs.rows} rows can be used",
        remedy="see that those runs did not fail for a reason that biases the rest" if out > asked else "",
    )


def overflow(name: str, fit: Fit | None, runs: Runs) -> Check:
    """FLOP that are not positive, or that wrapped around in 64-bit integers."""
    del fit
    wrong = runs.columns.get("flops_as_given_wrong")
    count = int(wrong.sum()) if wrong is not None else 0
    wrapped = 0
    if {"flops", "params", "tokens"} <= runs.columns.keys():
        with np.errstate(all="ignore"):
            product = 6.0 * runs.columns["params"] * runs.columns["tokens"]
            ratio = runs.columns["flops"] / product
            wrapped = int(((product > 2.0**63) & (ratio < 0.2) & np.isfinite(ratio)).sum())
    total = count + wrapped
    return Check(
        name=name,
        status="fail" if total else "pass",
        number=float(total),
        says=f"{count} rows have FLOP that are not positive, {wrapped} far below 6 N D above 2^63: integers overflowed"
        if total
        else "no FLOP wrapped around or negative",
        remedy="compute 6 N D in floats; the rows with FLOP that are not positive take 6 N D here" if total else "",
    )


def conventions(name: str, fit: Fit | None, runs: Runs) -> Check:
    """Whether FLOP are 6 N D, and which parameters N counts."""
    del fit
    guessed = [guess for guess in runs.guesses if "param" in guess or "flops" in guess]
    if not {"flops", "params", "tokens"} <= runs.columns.keys():
        return Check(name=name, status="none", number=None, says="no params, tokens and FLOP together")
    good = runs.usable()
    with np.errstate(all="ignore"):
        ratio = (runs.columns["flops"] / (6.0 * runs.columns["params"] * runs.columns["tokens"]))[good]
    ratio = ratio[np.isfinite(ratio) & (ratio > 0)]
    if not len(ratio):
        return Check(name=name, status="fail", number=None, says="FLOP, params and tokens do not meet in any row")
    middle = float(np.median(ratio))
    spread = float(np.quantile(ratio, 0.95) / np.quantile(ratio, 0.05))
    off = max(abs(np.log(middle)), np.log(spread))
    status = "warn" if guessed else judged(float(off), 0.05, 1.0)
    said = f"FLOP are {middle:.3g} times 6 N D (5 to 95 %: a factor of {spread:.3g}); N is {runs.counts}"
    return Check(
        name=name,
        status=judged(float(off), 0.05, 1.0) if off >= 0.05 else status,
        number=middle,
        says=said + (f"; guessed: {'; '.join(guessed)}" if guessed else ""),
        remedy="say which parameters with --counts; FLOP that are not 6 N D count something else"
        if status != "pass"
        else "",
    )


def schedule(name: str, fit: Fit | None, runs: Runs) -> Check:
    """Checkpoints of longer schedules, and warm-up that is long against the run."""
    del fit
    if {"schedule_tokens", "tokens"} <= runs.columns.keys():
        with np.errstate(all="ignore"):
            short = float(np.nanmean(runs.columns["tokens"] < 0.95 * runs.columns["schedule_tokens"]))
        return Check(
            name=name,
            status=judged(short, 0.01, 0.5),
            number=short,
            says=f"{short:.0%} of rows end before their learning rate has decayed",
            remedy="take final losses of whole schedules: cut cosines made 0.5 into 0.7 for Kaplan" if short else "",
        )
    if {"warmup_tokens", "tokens"} <= runs.columns.keys():
        with np.errstate(all="ignore"):
            long = float(np.nanmean(runs.columns["warmup_tokens"] > 0.2 * runs.columns["tokens"]))
        return Check(
            name=name,
            status=judged(long, 0.01, 0.5),
            number=long,
            says=f"{long:.0%} of rows warm up for more than a fifth of the run",
            remedy="shorten the warm-up of short runs" if long else "",
        )
    repeated = runs.rows - group_count(runs.groups)
    return Check(
        name=name,
        status="warn" if repeated else "none",
        number=float(repeated),
        says=f"{repeated} rows are checkpoints before a run's last: unless its rate is constant there, they are no"
        " finished runs"
        if repeated
        else "no column says how long the schedule or the warm-up was",
        remedy="give schedule_tokens, or keep the last row of each run",
    )


def loss(name: str, fit: Fit | None, runs: Runs) -> Check:
    """Training or validation loss, nats or bits, one tokenizer or several."""
    column = next((one.column for one in runs.mapping if one.quantity == "loss"), "loss")
    groups = _split_by_label(fit, runs)
    if groups is not None:
        label, apart = groups
        return Check(
            name=name,
            status=judged(apart, 0.01, 0.05),
            number=apart,
            says=f"residuals differ by {apart:.1%} of loss between values of '{label}': another tokenizer, data set or"
            " evaluation",
            remedy=f"fit each {label} by itself, or convert to bits per byte",
        )
    mixed = _tokenizers(name, runs)
    if mixed is not None:
        return mixed
    bits = _bits(runs)
    if bits is not None:
        return Check(
            name=name,
            status="fail",
            number=bits,
            says=f"losses are {bits:.2f} times what runs of this size have in nats: they look like bits (1.44)",
            remedy="multiply by ln 2, or name the column loss_bits",
        )
    training = "train" in column.lower() and "val" not in column.lower()
    several = [guess for guess in runs.guesses if guess.startswith("loss")]
    said = "training loss: it is smoothed, and on repeated data it is too low" if training else "one kind of loss"
    return Check(
        name=name,
        status="warn" if training or several else "pass",
        number=None,
        says=f"'{column}': {said}" + (f"; guessed: {several[0]}" if several else ""),
        remedy="say which with --column loss=NAME" if training or several else "",
    )


def _split_by_label(fit: Fit | None, runs: Runs) -> tuple[str, float] | None:
    """The column of text whose values have the most different residuals, where these are beyond chance and 1 %."""
    if fit is None:
        return None
    from isoflop.laws.result import target_of

    used = runs.where(runs.usable(fit.shape.inputs, target_of(fit.shape)))
    residuals = fit.doubt.residuals
    worst: tuple[str, float] | None = None
    for label, words in used.labels.items():
        kinds, member = np.unique(words, return_inverse=True)
        count = np.bincount(member)
        if not 2 <= len(kinds) <= 12 or count.min() < 3:
            continue
        means = np.bincount(member, residuals) / count
        within = np.sqrt(np.bincount(member, (residuals - means[member]) ** 2) / np.maximum(count - 1, 1) / count)
        apart = float(means.max() - means.min())
        if (
            apart > 4.0 * float(np.hypot(*np.sort(within)[-2:]))
            and apart > 0.01
            and (worst is None or apart > worst[1])
        ):
            worst = label, apart
    return worst


def _tokenizers(name: str, runs: Runs) -> Check | None:
    """A warning where a column that names tokenizers or vocabularies has several values."""
    named = {label: words for label, words in runs.labels.items() if re.search("tokeni|vocab", label.lower())}
    if "vocabulary" in runs.columns:
        named["vocabulary"] = tuple(f"{value:g}" for value in runs.columns["vocabulary"][runs.usable()])
    for label, words in named.items():
        kinds = sorted({shorten(word, most=30) for word in words})
        if len(kinds) > 1:
            return Check(
                name=name,
                status="warn",
                number=float(len(kinds)),
                says=f"'{label}' has {len(kinds)} values ({', '.join(kinds[:4])}): a loss per token is another loss"
                " under each",
                remedy="fit each by itself, or convert to bits per byte",
            )
    return None


def _bits(runs: Runs) -> float | None:
    """The ratio to what a published law in nats gives, where it is that of bits; None where it is not."""
    from isoflop.laws.published import published

    if not {"params", "tokens", "loss"} <= runs.columns.keys():
        return None
    good = runs.usable()
    if not good.any():
        return None
    law = published("besiroglu2024").law
    said = np.asarray(law.loss(runs.columns["params"][good], runs.columns["tokens"][good]))
    ratio = runs.loss[good] / said
    middle = float(np.median(ratio))
    tight = float(np.quantile(ratio, 0.9) - np.quantile(ratio, 0.1)) < 0.15
    return middle if 1.33 < middle < 1.56 and tight else None


def isoflop(name: str, fit: Fit | None, runs: Runs) -> Check:
    """Where runs form IsoFLOP profiles: whether their minima are bracketed."""
    del fit
    from isoflop.laws.approach2 import isoflop_profiles

    if not {"params", "tokens"} <= runs.columns.keys():
        return Check(name=name, status="none", number=None, says="no params and tokens")
    try:
        found = isoflop_profiles(runs)
    except UntrustworthyFit:
        found = ()
    if len(found) < 2:
        return Check(
            name=name, status="none", number=None, says="the runs form no IsoFLOP profiles; approach 2 is not for them"
        )
    open_ = [one for one in found if not one.bracketed]
    return Check(
        name=name,
        status="pass" if not open_ else "fail" if len(found) - len(open_) < 3 else "warn",
        number=len(open_) / len(found),
        says=f"{len(found) - len(open_)} of {len(found)} profiles have their minimum inside"
        + (f"; not at {', '.join(f'{one.flops:.2g}' for one in open_[:4])} FLOP" if open_ else ""),
        remedy="; ".join(one.missing for one in open_[:2]),
    )


def replicates(name: str, fit: Fit | None, runs: Runs) -> Check:
    """How many rows share a run."""
    del fit
    count = group_count(runs.groups)
    each = runs.rows / max(count, 1)
    return Check(
        name=name,
        status="warn" if each > 1.001 else "pass",
        number=each,
        says=f"{runs.rows} rows are checkpoints of {count} runs: whole runs are resampled, not rows"
        if each > 1.001
        else "each row is a run of its own",
        remedy="intervals hold for whole runs; more checkpoints do not narrow them" if each > 1.001 else "",
    )


def best_of_grid(name: str, fit: Fit | None, runs: Runs) -> Check:
    """Several runs of one size and data: a grid of settings, or seeds."""
    if not {"params", "tokens"} <= runs.columns.keys():
        return Check(name=name, status="none", number=None, says="no params and tokens")
    good = runs.where(runs.usable())
    if not good.rows:
        return Check(name=name, status="none", number=None, says="no rows")
    inputs = dict.fromkeys(("params", "tokens", *(fit.shape.inputs if fit is not None else ())))
    cells = np.stack([good.columns[key] for key in inputs if key in good.columns], axis=1)
    _, member = np.unique(cells, axis=0, return_inverse=True)
    member = member.reshape(-1)
    count = np.bincount(member)
    share = float((count[member] > 1).mean())
    low = np.full(len(count), np.inf)
    np.minimum.at(low, member, good.loss)
    others = good.loss > low[member]  # the best of each lies 0 above itself, and is half of all where there are pairs
    apart = float(np.median((good.loss / low[member] - 1.0)[others])) if others.any() else 0.0
    status: Status = "pass" if share < 0.05 else "warn" if apart < 0.02 else "fail"
    return Check(
        name=name,
        status=status,
        number=apart,
        says=f"{share:.0%} of rows share all that the law follows with another, and those that are not"
        f" their best lie {apart:.1%} above it"
        if share
        else "no two runs share all that the law follows",
        remedy="the best of a grid is too good by its noise, the rest is untuned: fit a curve through each"
        " grid (laws fit --law hyper)"
        if status != "pass"
        else "",
    )


def untrusted(name: str, fit: Fit | None, runs: Runs) -> Check:
    """Files that run code when read are refused before this."""
    del fit
    return Check(name=name, status="pass", number=None, says=f"{runs.source}: read as data; pickles are refused")
