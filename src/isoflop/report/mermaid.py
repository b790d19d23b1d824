"""The derivation of an Answer as a Mermaid flowchart: leaves on top, the result at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.markup import mermaid_text
from isoflop.report.outline import LEAVES, headline
from isoflop.report.words import say

if TYPE_CHECKING:
    from isoflop.relation.answer import Answer, Step

_CLASSES = (
    "classDef given fill:#cfe3f7,stroke:#0b5cad,color:#1b1f24",
    "classDef catalogue fill:#dcefe6,stroke:#00704f,color:#1b1f24",
    "classDef assumed fill:#fbe7c6,stroke:#8a4600,color:#1b1f24,stroke-dasharray:4 3",
    "classDef computed fill:#f6f8fa,stroke:#57606a,color:#1b1f24",
)


def answer_mermaid(answer: Answer) -> str:
    """A flowchart: one node a step, an arrow from every input; assumptions are dashed."""
    steps = {step.number for step in answer.steps}
    lines = ["flowchart TD"]
    lines += [f'  s{step.number}["{_label(step)}"]:::{_kind(step)}' for step in answer.steps]
    if not answer.steps:
        lines.append(f'  s0["{mermaid_text(headline(answer))}"]:::computed')
    for step in answer.steps:
        inputs = dict.fromkeys(number for _, number in step.inputs if number in steps)
        lines += [f"  s{number} --> s{step.number}" for number in inputs]
    return "\n".join([*lines, *(f"  {line}" for line in _CLASSES)]) + "\n"


def _kind(step: Step) -> str:
    """The class of a step; "default" is a word of Mermaid's own."""
    if step.kind == "default":
        return "assumed"
    return step.kind if step.kind in LEAVES else "computed"


def _label(step: Step) -> str:
    label = mermaid_text(f"{step.gives} = {say(step.value, step.gives)}")
    return label if step.kind in LEAVES or not step.formula else f"{label}<br>{mermaid_text('= ' + step.formula)}"
