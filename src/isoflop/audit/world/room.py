"""Whether a model fits where it is said to, and how memory grows with parameters."""

from __future__ import annotations

import re
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.prose.boards import devices_of
from isoflop.audit.prose.roles import TRAIN, TUNE
from isoflop.audit.world.found import by, finding, shown
from isoflop.audit.world.memory_context import GIB, Context, catalogued_size, is_of_a_device
from isoflop.audit.world.words import formats
from isoflop.book import memory as book

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Finding
    from isoflop.audit.prose.facts import Told


ROUND = 1.03 * GIB / 1e9
"""A memory may be labelled in GB and hold GiB, and be rounded."""

_FITS = re.compile(
    r"\bfits?\b|\bfit(?:ting)?\b|\b(?:runs?|load(?:s|ed)?|hosted|served?|held) (?:\w+ )?(?:on|"
    r"in|into|within) (?:a |an |one |the )?(?:single|one)\b",
    re.IGNORECASE,
)


_NOT_FIT = re.compile(
    r"\b(?:not|\w+n't|cannot|barely|hardly|never|unable|fails?|too (?:large|big)|exceed\w*|"
    r"struggle\w*|almost|if|whether|until|unless|won't|no longer|nor|without quanti\w+)\b",
    re.IGNORECASE,
)


_SHARDED = re.compile(
    r"\b(?:offload\w*|sparse|prun\w*|LoRA|QLoRA|distill\w*|across|shard\w*|several|multiple|"
    r"two|four|eight|[2-9]x|pair of)\b",
    re.IGNORECASE,
)


_MORE_MEMORY = re.compile(
    r"\b(?:more|as much|the|times|x)\s+(?:the\s+)?(?:GPU\s+|VRAM|accelerator\s+|"
    r"the\s+)*(?:memory|RAM|VRAM)|memory[^.]{0,40}\b(?:times|grows?|increas\w*|x|scales?)\b|"
    r"\btimes\b[^.]{0,20}\bmemory",
    re.IGNORECASE,
)


def fitting(told: Told, context: Context) -> Iterator[Finding]:
    """As in "a 70B model in FP16 fits on one 80 GB GPU"."""
    text = told.sentence.text
    match = _FITS.search(text)
    if match is None or _NOT_FIT.search(text) or _SHARDED.search(text):
        return
    sized = [
        fact.amount.value
        for fact in told.facts
        if fact.role == "params" and fact.amount.low >= 1e8 and fact.amount.low == fact.amount.high
    ]
    named = [size for name in told.read.names if name.kind == "model" and (size := catalogued_size(name))]
    size = next(iter(sized or named), context.size)
    room, what = _room(told)
    if size is None or room is None or len(sized) > 1 or len(named) > 1:
        return
    dtypes = [name.key for name in told.read.names if name.kind == "dtype"]
    form = formats().get(dtypes[0]) if len(dtypes) == 1 else None
    training = bool(TRAIN.search(text) or TUNE.search(text))
    each = 6.0 if training else form.bytes if form else 0.5
    if size * each <= room * ROUND or (training and TUNE.search(text)):
        return
    need = by(book.train_state_bytes, size) if training else by(book.weight_bytes, size, form.bytes if form else 2.0)
    amount = next((fact.amount for fact in told.facts if fact.role == "memory"), None)
    yield finding(
        told.sentence,
        amount,
        "contradiction",
        f"it takes {shown(need, 'weight_bytes')}{' for the weights in ' + dtypes[0] if form and not training else ''},"
        f" and {what} has {shown(room, 'memory')}",
        says=room,
        recomputed=need,
    )


def _room(told: Told) -> tuple[float | None, str]:
    """Bytes of what a model is said to fit on."""
    named = [name for name in told.read.names if name.kind == "device"]
    memories = [
        fact.amount
        for fact in told.facts
        if fact.role == "memory" and fact.amount.low > 1e9 and is_of_a_device(told, fact.amount)
    ]
    memories += [
        fact.amount
        for fact in told.facts
        if fact.role == "memory"
        and fact.amount.low > 1e9
        and re.search(
            r"\b(?:in|into|on|within|under|inside)\s+(?:a\s+|an\s+|one\s+|a single\s+|just\s+|only\s+|the\s+)*$",
            told.sentence.text[: fact.amount.start],
        )
    ]
    count = next((amount.value for amount in told.read.amounts if amount.kind == "chip"), 1.0)
    if memories:
        return memories[0].high * count, "that"
    if named:
        values = [
            figure.value
            for device in devices_of(named[0].key, named[0].words)
            if (figure := device.memory.physical or device.memory.labelled)
        ]
        return (max(values) * count, named[0].text) if values else (None, "")
    return None, ""


def growth(told: Told, context: Context) -> Iterator[Finding]:
    """As in "a 100B model needs up to 500 times more memory": memory grows as parameters do, like for like."""
    text = told.sentence.text
    if not _MORE_MEMORY.search(text) or re.search(
        r"\bspeed|faster|throughput|bandwidth|quanti[sz]\w*|KV|context\b", text, re.IGNORECASE
    ):
        return
    times = [amount for amount in told.read.amounts if amount.kind == "#times" and amount.low >= 1.5]
    sized = [
        fact.amount.value
        for fact in told.facts
        if fact.role == "params" and fact.amount.low >= 1e6 and fact.amount.low == fact.amount.high
    ]
    if len(times) != 1 or not sized:
        return
    base = sized[1] if len(sized) > 1 else context.first_size
    large = max(sized[0], base or 0.0)
    base = min(sized[0], base) if base else None
    if base is None or large == base:
        return
    due, said = large / base, times[0].value
    if any(
        abs(log(said / (due * extra))) < 0.25
        for extra in ((1.0,) if len(sized) > 1 or TRAIN.search(text) else (1.0, 4.0, 6.0))
    ):
        return
    words = (
        f"memory grows as parameters do: {shown(large, 'params')} take {due:.3g} times what "
        f"{shown(base, 'params')} take, like for like"
    )
    yield finding(told.sentence, times[0], "library_relation", words, says=said, recomputed=due)
