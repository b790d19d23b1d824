"""The derivation of an Answer as LaTeX: an align* environment (amsmath) that can be pasted into a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.quantity import quantity
from isoflop.report.markup import latex_text, latex_value
from isoflop.report.outline import LEAVES
from isoflop.report.words import say_around

if TYPE_CHECKING:
    from isoflop.relation.answer import Answer, Step


def answer_latex(answer: Answer) -> str:
    """One line a step: symbol, formula, value, and where it comes from.

    Formulas are the relations' own (`Step.latex`); every other text is escaped.
    """
    lines = [_line(step) for step in answer.steps] or [
        rf"{_symbol(answer.quantity)} &= {_value(answer.quantity, answer.value, answer.low, answer.high)}"
    ]
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}\n"


def _line(step: Step) -> str:
    value = _value(step.gives, step.value, step.low, step.high)
    formula = "" if step.kind in LEAVES else (step.latex if _balanced(step.latex) else _text(step.formula))
    right = f"{formula} = {value}" if formula else value
    inputs = ", ".join(f"[{number}]" for number in dict.fromkeys(number for _, number in step.inputs))
    origin = f"from {inputs}" if inputs else LEAVES.get(step.kind, step.kind).lower()
    sources = f"; {'; '.join(step.sources)}" if step.sources else ""
    return rf"{_text(f'[{step.number}]')}\quad {_symbol(step.gives)} &= {right} && {_text(origin + sources)}"


def _symbol(name: str) -> str:
    symbol = quantity(name).latex
    return symbol if symbol and _balanced(symbol) else rf"\mathrm{{{latex_text(name)}}}"


def _value(name: str, value: float, low: float, high: float) -> str:
    return rf"\text{{{latex_value(say_around(value, low, high, name))}}}"


def _text(text: str) -> str:
    return rf"\text{{{latex_text(text)}}}"


def _balanced(latex: str) -> bool:
    """Whether `latex` is there and closes every brace it opens."""
    depth = 0
    for char in latex.replace(r"\{", "").replace(r"\}", ""):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return False
    return bool(latex) and depth == 0
