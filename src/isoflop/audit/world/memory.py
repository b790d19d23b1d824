"""Memory of models: weights by number format, training state, what fits on a device, and how memory grows with size."""

from __future__ import annotations

import re
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.prose.roles import INFER, TRAIN, TUNE
from isoflop.audit.world.found import by, finding, is_denied, middle, near, shown, slip_of
from isoflop.audit.world.memory_context import (
    GIB,
    SMALLEST,
    Context,
    clause_of,
    follow,
    format_of,
    is_of_a_device,
    remember,
    size_before,
)
from isoflop.audit.world.room import fitting, growth
from isoflop.audit.world.words import formats
from isoflop.book import memory as book
from isoflop.quantity import unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told

WEIGHTS = (0.9, 1.4)
"""Memory in use over the weights alone: quantized formats carry scales, a server its cache and buffers."""
ANY_WEIGHTS = (0.42, 6.0)
"""Bytes a parameter to hold a model in, in any format from 4 to 32 bits, with what it takes to run it."""
TRAINING = (5.5, 64.0)
"""Bytes a parameter to train with: 6 where everything is kept in 8 to 16 bits, 16 to 24 as a rule; activations add."""
FULL_STATE = 16.0

_NEED = re.compile(
    r"\b(?:requir\w*|need\w*|takes?|took|occup\w*|consum\w*|us(?:es?|ing)|weigh\w*|footprint|"
    r"memory|VRAM|RAM|storage|size|stores?|holds?|load\w*|fits?|comes? to|is|are|means|about|"
    r"=|=>)\b|[:=→(≈]",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:KV|key-value|cache|activations?|dataset|data set|corpus|text|tokens? of|disk|SSD|"
    r"NVMe|images?|video|audio|host|CPU|system memory|bandwidth|file|download\w*|per token|"
    r"context|batch|per layer|"
    r"embedding\w*|adapter\w*|LoRA|QLoRA|offload\w*|shard\w*|ZeRO\S*|FSDP|per (?:GPU|device|"
    r"chip)|each GPU|overhead|saves?|saving|savings|reduc\w*|cuts?|less|fewer|smaller|extra|"
    r"additional|more|difference|"
    r"left|remaining|free|spare|headroom|cluster|total of \d+ GPUs|crawl\w*|logs?|book\w*)\b",
    re.IGNORECASE,
)
_PARTS: dict[str, tuple[float, ...]] = {
    "gradient": (1.0, 2.0, 4.0),
    "optimizer state": (2.0, 4.0, 6.0, 8.0, 12.0),
    "adam state": (2.0, 4.0, 6.0, 8.0, 12.0, 16.0),
    "adam keeps": (4.0, 8.0, 12.0),
    "adam's": (4.0, 8.0, 12.0),
    "moments": (2.0, 4.0, 8.0),
    "master": (4.0,),
}


def memory_figures(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Memory of models that the formula gives otherwise."""
    context = Context()
    for told in text:
        follow(told, context)
        yield from growth(told, context)
        fit = list(fitting(told, context))
        yield from fit
        if fit:
            continue
        for fact in told.facts:
            if fact.role == "memory" and fact.amount.low >= SMALLEST and not is_denied(fact):
                yield from _need(told, fact.amount, context)
        remember(told, context)


def _need(told: Told, amount: Amount, context: Context) -> Iterator[Finding]:
    text = told.sentence.text
    clause = clause_of(text, amount)
    size = size_before(told, amount, context)
    if size is not None and (each := _said_each(told, amount, context)) is not None:
        yield from _by_each(told, amount, size, each)
        return
    if (
        size is None
        or not _NEED.search(clause)
        or _SEVERAL.search(text[: amount.start])
        or is_of_a_device(told, amount)
        or _is_of_another(told, clause)
    ):
        return
    if _OTHER.search(clause) or re.search(r"\b(?:vs\.?|versus|against)\b", clause) or _is_dense(told, text):
        return
    purpose = _purpose(clause, context)
    part = _part(clause)
    if part is not None and purpose != "infer" and "weights" not in clause:
        yield from _of_part(told, amount, size, part)
        return
    dtype = format_of(told, amount, context)
    if purpose == "tune" and not re.search(r"\bfull\w*\b", clause):
        return
    if purpose in {"train", "tune"} and not re.search(r"\bweights?\b|\bjust the\b|\balone\b", clause):
        yield from _to_train(told, amount, size)
    elif dtype == "?" or re.search(r"\b(?:total|altogether|in all|overall|everything)\b", clause, re.IGNORECASE):
        return
    elif dtype is not None:
        yield from _in_format(told, amount, size, dtype)
    else:
        yield from _in_any(told, amount, size, purpose)


_SEVERAL = re.compile(
    r"\b[0-9]+ of (?:them|these|those)\b[^.;]{0,12}$|\b[0-9]+ (?:copies|checkpoints|replicas)\b", re.IGNORECASE
)


def _is_of_another(told: Told, clause: str) -> bool:
    """Whether the size comes from elsewhere, and the memory is a device's that the clause names."""
    here = any(fact.role == "params" for fact in told.facts) or any(name.kind == "model" for name in told.read.names)
    return not here and any(name.kind == "device" and name.text in clause for name in told.read.names)


_THAT_IS = re.compile(
    r"[\s-]*(?:[a-z]+\s+){0,2}?,?\s*(?:that['’]s|that is|that means|this is|it['’]s|needs?|takes?|"
    r"requires?|is|=|→|≈|comes to|you need|you['’]d need|would (?:need|take))\s*"
    r"(?:about|roughly|around|at least|some|just|~|≈)?\s*",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(r"^(?:so|thus|hence|therefore|that means|meaning|for)\b", re.IGNORECASE)


def _said_each(told: Told, amount: Amount, context: Context) -> float | None:
    """Bytes for each parameter that the sentence before has laid down, where this one draws the conclusion."""
    if context.each is None or told.sentence.place - context.each[0] != 1 or amount.number.bound:
        return None
    sizes = [one for one in told.read.amounts if one.kind == "param"]
    text = told.sentence.text
    names = [name for name in told.read.names if name.kind == "dtype"]
    if len(sizes) != 1 or names or not _FOLLOWS.match(text) or sizes[0].end > amount.start:
        return None
    return context.each[1] if _THAT_IS.fullmatch(text[sizes[0].end : amount.start]) else None


def _by_each(told: Told, amount: Amount, size: float, each: float) -> Iterator[Finding]:
    """As in "16 bytes per parameter. So a 7B model needs 112 GB"."""
    due = size * each
    ratio = amount.off(due)
    if 0.88 <= ratio <= 1.45:
        return
    kind, why = _memory_slip(ratio)
    kind = "arithmetic" if kind in {"constant", "library_relation"} else kind
    why = "" if kind == "arithmetic" else why
    reason = f"{shown(size, 'params')} at {each:g} bytes each are {shown(due, 'weight_bytes')}{why}"
    yield finding(
        told.sentence, amount, kind, reason, says=middle(amount), recomputed=due, level="arithmetic", unit=unit("byte")
    )


def _purpose(clause: str, context: Context) -> str:
    """What the memory is for: to tune, to train, to hold and run; else what led into the list."""
    if TUNE.search(clause):
        return "tune"
    if TRAIN.search(clause):
        return "train"
    held = INFER.search(clause) or re.search(r"\bweights?\b|\bparameters alone\b", clause)
    return "infer" if held else context.purpose


def _part(clause: str) -> tuple[float, ...] | None:
    """Bytes a parameter of the part of the state that a clause is about, None for none."""
    lower = clause.lower()
    if re.search(r"\bweights?\b.*\+|total|everything|altogether", lower):
        return None
    return next((values for word, values in _PARTS.items() if word in lower), None)


def _is_dense(told: Told, text: str) -> bool:
    """Whether a sentence holds so many figures that what each is of is not to be told, and caches among them."""
    return len(told.read.amounts) > 6 and re.search(r"\b(?:KV|cache|activations?|logits?|buffers?)\b", text) is not None


def _in_format(told: Told, amount: Amount, size: float, dtype: str) -> Iterator[Finding]:
    form = formats().get(dtype)
    if form is None:
        return
    laid_down = [one for one in told.read.amounts if one.kind == "byte/param" and one.start < amount.start]
    if len(laid_down) == 1 and not near(laid_down[0].value, form.bytes):
        yield from _by_each(told, amount, size, laid_down[0].value)  # two moments in fp32 are 8 bytes
        return
    due = by(book.weight_bytes, size, form.bytes)
    ratio = middle(amount) / due
    written = amount.value / GIB if "i" in amount.unit else None
    if written is not None and near(written, due / 1e9, 0.012) and abs(log(amount.off(due))) > 0.05:
        yield finding(
            told.sentence,
            amount,
            "gb_for_gib",
            f"{shown(size, 'params')} x {form.bytes:g} bytes are {due / 1e9:.4g} GB, which is {due / GIB:.4g} GiB",
            says=amount.value,
            recomputed=due,
        )
        return
    if WEIGHTS[0] <= amount.off(due) <= WEIGHTS[1] or (amount.number.bound == ">" and ratio < 1.0 and ratio > 0.9):
        return
    kind, why = _memory_slip(ratio)
    yield finding(
        told.sentence,
        amount,
        kind,
        f"{shown(size, 'params')} x {form.bytes:g} bytes in {dtype} are {shown(due, 'weight_bytes')}{why}",
        says=middle(amount),
        recomputed=due,
    )


def _memory_slip(ratio: float) -> tuple[Class, str]:
    if near(ratio, 8.0) or near(ratio, 0.125):
        return "bits_for_bytes", "; likely bits taken for bytes, or bytes for bits"
    if any(near(ratio, value) for value in (2.0, 4.0, 0.5, 0.25)):
        return "constant", "; likely the bytes of another number format"
    slip = slip_of(ratio)
    return (slip[0], f"; {slip[1]}") if slip else ("library_relation", "")


def _in_any(told: Told, amount: Amount, size: float, purpose: str) -> Iterator[Finding]:
    each = amount.value / size
    low, high = ANY_WEIGHTS if purpose == "infer" else (ANY_WEIGHTS[0], 26.0)
    if (
        low <= amount.off(size * low) * low
        and amount.low / size * (1 - amount.slack) <= high
        and amount.high / size * (1 + amount.slack) >= low
    ):
        return
    due = by(book.weight_bytes, size, 2.0)
    kind, why = _memory_slip(middle(amount) / due)
    yield finding(
        told.sentence,
        amount,
        kind,
        f"that is {each:.3g} bytes for each parameter; {shown(size, 'params')} take {shown(due, 'weight_bytes')} "
        f"in 16 bits{why}",
        says=middle(amount),
        recomputed=due,
    )


def _to_train(told: Told, amount: Amount, size: float) -> Iterator[Finding]:
    low, high = amount.low / size * (1 - amount.slack), amount.high / size * (1 + amount.slack)
    if amount.number.bound == ">":
        high = max(high, TRAINING[0] if amount.low / size >= 3.5 else high)
    if high >= TRAINING[0] and low <= TRAINING[1]:
        return
    if amount.number.bound == "<" and low > TRAINING[1]:
        return
    due = by(book.train_state_bytes, size)
    each = middle(amount) / size
    if any(near(each, value) for value in (2.0, 4.0)):
        yield finding(
            told.sentence,
            amount,
            "input_missing",
            f"these are the weights alone; with gradients and Adam's state it takes {shown(due, 'train_state_bytes')}",
            says=middle(amount),
            recomputed=due,
        )
        return
    slip = slip_of(middle(amount) / due)
    kind, why = (slip[0], f"; {slip[1]}") if slip else ("library_relation", "")
    yield finding(
        told.sentence,
        amount,
        kind,
        f"that is {each:.3g} bytes for each parameter; training takes about {FULL_STATE:g} and activations{why}",
        says=middle(amount),
        recomputed=due,
    )


def _of_part(told: Told, amount: Amount, size: float, allowed: tuple[float, ...]) -> Iterator[Finding]:
    if (
        any(abs(log(amount.off(size * value))) < 0.12 for value in allowed)
        or min(allowed) * 0.9 <= middle(amount) / size <= max(allowed) * 1.1
    ):
        return
    due = size * max(value for value in allowed if value <= 8)
    slip = slip_of(middle(amount) / due)
    kind, why = (slip[0], f"; {slip[1]}") if slip else ("library_relation", "")
    yield finding(
        told.sentence,
        amount,
        kind,
        f"that is {middle(amount) / size:.3g} bytes for each parameter; it is {min(allowed):g} to "
        f"{max(allowed):g}{why}",
        says=middle(amount),
        recomputed=due,
    )
