"""Units of running text that cannot be meant: a total in FLOP/s, energy as power, a share above 1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import PERCENT
from isoflop.audit.prose.kinds import EITHER
from isoflop.audit.prose.roles import TRAIN
from isoflop.audit.world.found import finding
from isoflop.quantity import unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Finding
    from isoflop.audit.prose.facts import Fact, Told

LARGEST_RATE = 3e21
"""FLOP/s beyond all accelerators that were ever built; a figure above it is work."""

_DEFINED = re.compile(
    r"(?:floating[- ]point )?operations per second\s*\(?\s*(?:or\s+)?(?:FLOPS|FLOPs|FLOP/s)|"
    r"FLOPS\s*\((?:floating[- ]point )?operations per second\)",
    re.IGNORECASE,
)
_SHARE = re.compile(r"\bMFU\b|\bHFU\b|utili[sz]ation")
_MFU_OF = re.compile(r"\b(?:MFU|HFU|utili[sz]ation)\s*(?:of|is|was|=|:|≈)\s*(?:about\s+|only\s+)?$")
_AMOUNT_OF = re.compile(
    r"\b(?:total|amount|training (?:FLOPs?|compute|run|budget|cost)|trained|train|required|"
    r"immense|needed|took|used|consumed|overall)\b",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"\b(?:cluster|supercomputer|peak|throughput|speed|rate|sustain\w*|capable|deliver\w*|"
    r"capacity|machine|datacenter|per (?:chip|GPU))\b",
    re.IGNORECASE,
)


def unit_words(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Work in units of a rate, and utilisations above 1."""
    defined = next((told for told in text if _DEFINED.search(told.sentence.text)), None)
    found = [one for told in text for fact in told.facts for one in _of_fact(told, fact, defined)]
    yield from found
    if defined is None or any(one.kind == "rate_for_amount" for one in found):
        return
    words = defined.sentence.text
    if TRAIN.search(words) and _AMOUNT_OF.search(words) and not _RATE.search(words):
        reason = "an amount of work is measured in FLOP; FLOP per second is a rate"
        yield finding(defined.sentence, None, "rate_for_amount", reason, level="units")


def _of_fact(told: Told, fact: Fact, defined: Told | None) -> Iterator[Finding]:
    words, amount = told.sentence.text, fact.amount
    if amount.kind == PERCENT and fact.role == "mfu" and amount.low > 1.0 and amount.is_exact and _SHARE.search(words):
        reason = "a utilisation cannot exceed 100 %"
        yield finding(told.sentence, amount, "utilisation_above_one", reason, says=amount.value, recomputed=1.0)
        return
    if _MFU_OF.search(words[: amount.start]) and amount.kind == "" and 1.0 < amount.low < 5.0 and amount.is_exact:
        reason = "a utilisation cannot exceed 1"
        yield finding(told.sentence, amount, "utilisation_above_one", reason, says=amount.value, recomputed=1.0)
        return
    per_second = amount.kind in {"FLOP/s", "FLOP/s/chip"}
    by_definition = (
        defined is not None
        and told.sentence.place >= defined.sentence.place
        and fact.role == "train_flops"
        and (amount.kind == EITHER or (amount.kind == "" and "FLOPS" in words))
    )
    total = TRAIN.search(words) or _AMOUNT_OF.search(words)
    if amount.low > LARGEST_RATE and (per_second or by_definition) and total and not _RATE.search(words):
        where = f" (line {defined.sentence.line} defines FLOPS so)" if by_definition and defined else ""
        reason = f"the work of a training run is FLOP; FLOP/s is a rate{where}"
        yield finding(
            told.sentence, amount, "rate_for_amount", reason, says=amount.value, level="units", unit=unit("FLOP")
        )
