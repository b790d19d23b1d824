"""What a figure of memory is of: the size, the format and the purpose that were named last."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.audit.prose.roles import INFER, TRAIN
from isoflop.audit.world.known import of_name

if TYPE_CHECKING:
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told
    from isoflop.audit.prose.names import Name


GIB = 2.0**30
SMALLEST = 5e7
"""Bytes below which nothing is the memory of a model."""


@dataclass(slots=True)
class Context:
    """What a memory figure is of: the last size and format that were named in its scope."""

    scope: int = -1
    size: float | None = None
    size_text: str = ""
    purpose: str = ""
    each: tuple[int, float] | None = None
    first_size: float | None = None
    labels: list[tuple[int, str]] | None = None


def follow(told: Told, context: Context) -> None:
    """A new scope forgets the size; a list's labels hold for what is set in below them."""
    if told.scope != context.scope:
        context.scope, context.size, context.size_text, context.purpose = told.scope, None, "", ""
        context.each = None
        context.labels = []
    labels = context.labels or []
    depth = told.sentence.depth if told.sentence.kind == "item" else -1
    context.labels = [pair for pair in labels if pair[0] < depth] if depth >= 0 else labels[:0]
    dtypes = [name.key for name in told.read.names if name.kind == "dtype"]
    if dtypes and told.sentence.kind == "item" and told.sentence.text.rstrip().endswith(":"):
        context.labels.append((depth, dtypes[0]))


def remember(told: Told, context: Context) -> None:
    """Take up the sizes and the purpose that a sentence leaves behind."""
    for fact in told.facts:
        if fact.role == "params" and fact.amount.low >= 1e6 and fact.amount.low == fact.amount.high:
            context.size, context.size_text = fact.amount.value, fact.amount.text
            if context.first_size is None:
                context.first_size = fact.amount.value
    each = [one.value for one in told.read.amounts if one.kind == "byte/param"]
    if each:
        context.each = (told.sentence.place, each[0]) if len(each) == 1 else None
    if told.sentence.text.rstrip().endswith(":"):
        context.purpose = (
            "train"
            if TRAIN.search(told.sentence.text)
            else "infer"
            if INFER.search(told.sentence.text)
            else context.purpose
        )


def size_before(told: Told, amount: Amount, context: Context) -> float | None:
    """Parameters of the model that a memory figure is of."""
    sized = [fact.amount for fact in told.facts if fact.role == "params" and fact.amount.low >= 1e6]
    before = [one for one in sized if one.end <= amount.start]
    after = [one for one in sized if one.start >= amount.end]
    named = [name for name in told.read.names if name.kind == "model" and name.end <= amount.start]
    if before and (not named or named[-1].end <= before[-1].start or True):
        return before[-1].value if before[-1].low == before[-1].high else None
    if named:
        return catalogued_size(named[-1])
    if (
        after
        and after[0].low == after[0].high
        and re.search(
            r"\b(?:for|to (?:load|run|hold|store|train|serve)|of)\b", told.sentence.text[amount.end : after[0].start]
        )
    ):
        return after[0].value
    if any(name.kind == "model" for name in told.read.names):
        return None
    return context.size


def catalogued_size(name: Name) -> float | None:
    """Parameters of a model by its name: of the one size that it can mean."""
    known = {one.params for one in of_name(name) if one.params and not one.rumoured}
    if known and max(known) < 1.15 * min(known):
        return max(known)
    return name.size


_OTHER_FORMAT = re.compile(r"\b(?:from|than|over|versus|instead|tr(?:y|ied)|consider|switch\w*|could use|fall back)\b")


def format_of(told: Told, amount: Amount, context: Context) -> str | None:
    """The number format nearest to a figure, else the one that labels its list."""
    text = told.sentence.text
    names = [name for name in told.read.names if name.kind == "dtype"]
    if not names and (bits := _bits_before(told, amount)):
        return bits
    after = [
        name
        for name in names
        if name.start >= amount.end
        and re.fullmatch(
            r"\s*(?:of \w+\s*)?(?:of \w+ \w+\s*)?(?:\(|in|at|with|using|when|as|for)?\s*(?:in|at|using|with|the)?\s*",
            text[amount.end : name.start],
        )
    ]
    before = [name for name in names if name.end <= amount.start]
    if after:
        return after[0].key
    figures = [one for one in told.read.amounts if one.kind == "byte" and one.low >= SMALLEST]
    if len(before) == len(figures) == 2 and before == names and figures[0].start > before[-1].end:
        return before[figures.index(amount)].key  # "from FP16 to 4-bit, from 26 GB to 6.5 GB"
    if before and not re.search(
        r"\b(?:from|instead of|than|over|versus|vs)\s*$", text[: before[-1].start], re.IGNORECASE
    ):
        return before[-1].key
    if names:
        return names[0].key if len(names) == 1 and not _OTHER_FORMAT.search(text) else "?"
    return context.labels[-1][1] if context.labels else None


def _bits_before(told: Told, amount: Amount) -> str | None:
    """As in "quantized to 4 bits it takes": a format by its bits."""
    text = told.sentence.text
    found = [
        round(one.low * 8)
        for one in told.read.amounts
        if one.end <= amount.start
        and one.kind == "byte"
        and "bit" in one.unit
        and one.low < 9
        and re.search(r"\b(?:to|in|at|with|using|into)\s*(?:just\s+|only\s+)?$", text[: one.start])
    ]
    return f"{found[-1]}bit" if found else None


def clause_of(text: str, amount: Amount) -> str:
    """The part of a sentence that a figure stands in."""
    begin = max(
        (
            match.end()
            for match in re.finditer(r"[;.]\s|\b(?:while|whereas|but)\b|,\s(?:and|so)\s", text[: amount.start])
        ),
        default=0,
    )
    end = re.search(r"[;]|\b(?:while|whereas|but)\b|,\s(?:and|so|or|plus|leaving|which)\s|\bplus\b", text[amount.end :])
    return text[begin : amount.end + end.start()] if end else text[begin:]


def is_of_a_device(told: Told, amount: Amount) -> bool:
    """Whether it is the memory of a device: "80 GB A100", "an RTX 4090 (24 GB)", "a 24 GB GPU", "24GB of VRAM card"."""
    text = told.sentence.text
    if re.match(
        r"[\s-]*(?:GPUs?|cards?|device|Mac\w*|laptop|VRAM cards?|consumer|gaming|card|machine|of "
        r"VRAM (?:card|GPU)|NVIDIA|A\d+|H\d+|V100|node|server|accelerator\w*)\b",
        text[amount.end :],
        re.IGNORECASE,
    ):
        return True
    if re.search(
        r"\b(?:GPUs?|laptops?|cards?|machines?|Macs?|MacBook|phones?|devices?|systems?|PC|"
        r"workstations?)\s+(?:with|has|have|having|that has|offers?|only has)\s+(?:only|just|at "
        r"least|about)?\s*$",
        text[: amount.start],
    ):
        return True
    for name in told.read.names:
        if name.kind == "device" and (
            (
                name.end <= amount.start
                and re.fullmatch(
                    r"'?s?\s*(?:GPUs?)?\s*(?:\(|has|have|with|offers|,|'s|its|provides|only has|comes "
                    r"with)*\s*(?:only|just|the|a)?\s*",
                    text[name.end : amount.start],
                )
            )
            or (amount.end <= name.start and name.start - amount.end < 3)
        ):
            return True
    return False
