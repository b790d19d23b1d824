"""Roots that say what a named model is, against what its makers printed: for napkins, whose steps name a `subject`.

A root with a subject and a quantity is a sentence ("Llama 3 has 65B parameters"), and is judged as that sentence is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.audit.library import quantity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.document import Document, Finding
    from isoflop.audit.engine import Recalculated

_SENTENCES = {
    "params": "{subject} has {value:.4g}B parameters.",
    "active_params": "{subject} has {value:.4g}B active parameters.",
    "tokens": "{subject} was trained on {value:.4g}B tokens.",
    "train_flops": "{subject} took {plain:.4g} FLOP to train.",
}
MOST = 200
"""Roots that are held against published models; a napkin has ten."""


def check_subjects(steps: Mapping[str, Recalculated], document: Document) -> Iterator[Finding]:
    """Findings of the level world for roots that give a figure of a named model otherwise than its makers."""
    asked = 0
    for found in steps.values():
        entry = quantity_of(found, document)
        if not found.is_root or not found.step.subject or not found.said or entry is None or asked >= MOST:
            continue
        sentence = _SENTENCES.get(entry.name)
        if sentence is not None and found.step.kind != "claim":  # claims of prose are sentences already
            asked += 1
            text = sentence.format(subject=found.step.subject, value=found.said / 1e9, plain=found.said)
            yield from _as_sentence(found, text)


def _as_sentence(found: Recalculated, text: str) -> Iterator[Finding]:
    from isoflop.audit.prose import read_prose
    from isoflop.audit.world.prose import prose_claims

    for one in prose_claims(read_prose(text, "a sentence"), {}):
        if one.level == "world":
            yield replace(one, step=found.step.number, span=found.step.span, amends=())
            return
