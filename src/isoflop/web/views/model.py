"""Model: a preset, a size, or a pasted config.json, counted exactly."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.model import describe
from isoflop.model.config import reading_of
from isoflop.model.names import Description
from isoflop.model.sheet import lengths, sheet
from isoflop.quantity import quantity, read
from isoflop.quantity.json_file import parse_json
from isoflop.report import (
    component_table,
    model_html,
    model_json,
    model_steps,
    models_json,
    page,
    steps_table,
    table_csv,
)
from isoflop.report.chart_model import component_chart
from isoflop.report.model import model_body, model_head
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import MODEL, linked, table_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.model.sheet import Sheet
    from isoflop.report.model_derivation import ModelStep

PASTED = "config.json"
CHARTS = {"components": "Parameters, FLOP and bytes by component"}
MOST_SAID = 7
"""Lines of a derivation that are said before it is opened."""

CONVENTIONS = ("model", "full-attention", "6nd")
CACHES = ("bf16", "fp16", "fp8", "int8", "int4", "fp32")


def answer(given: Mapping[str, str]) -> Shown:
    """The sheet of the model that is named or pasted."""
    safe = guarded(given, texts=frozenset({"config"}))
    pasted = given.get("config", "").strip()
    if bool(pasted) == ("model" in given):
        raise BadInput("name a model, or paste its config.json: one of the two")
    described = _pasted(pasted) if pasted else describe(safe["model"])
    at = lengths(
        described,
        sequence=_tokens(given.get("sequence"), "sequence_length"),
        context=_tokens(given.get("context"), "context"),
        convention=given.get("convention", "model"),
        kv_dtype=given.get("kv-dtype"),
    )
    return shown(sheet(described, at))


def _pasted(text: str) -> Description:
    reading = reading_of(parse_json(text, PASTED, infinity=True), PASTED, "the pasted model")
    return Description(spec=reading.spec, origin="config", reading=reading)


def _tokens(text: str | None, name: str) -> float | None:
    return None if text is None else float(read(text, quantity(name)).spread.median)


def shown(one: Sheet) -> Shown:
    """A model on the page."""
    blocks = (model_head(one), *model_body(one))
    steps = model_steps(one)
    titles = tuple(dict.fromkeys(step.section for step in steps))
    anchors = {title: f"model-{number}" for number, title in enumerate(titles, start=1)}
    parts = [
        table_part(title, anchors[title], steps_table([step for step in steps if step.section == title]))
        for title in titles
    ]
    links: dict[str, str] = {}
    for block in blocks[1:]:
        words = set(block.title.lower().split()[:1])
        near = next((place for title, place in anchors.items() if words & set(title.lower().split())), "components")
        links |= linked(block, {}, usual=near)
    return Shown(
        blocks=blocks,
        json=lambda: models_json([model_json(one)]),
        parts=(table_part("Components", "components", component_table(one), unfolded=True), *parts),
        links=links,
        hovers=_says(steps, anchors),
        charts={"components": lambda mode, width: component_chart(one, width=width, mode=mode)},
        page=lambda: page(one.spec.name, model_html(one, explain=True)),
        csv=partial(table_csv, *component_table(one, exact=True)),
    )


def _says(steps: Sequence[ModelStep], anchors: Mapping[str, str]) -> dict[str, str]:
    """The first and the last steps of each section of the derivation, and where the rest is."""
    found = {"components": "Counted tensor by tensor from the shape; open it for every component."}
    for title, anchor in anchors.items():
        lines = [f"[{one.number}] {one.gives} = {one.formula}" for one in steps if one.section == title]
        shown = lines if len(lines) <= MOST_SAID else [*lines[: MOST_SAID - 2], "...", lines[-1]]
        found[anchor] = "\n".join(shown)
    return found


VIEW = View(
    name="model",
    title="Model",
    lead="Parameters, FLOP, state and bytes of a model, counted from its shape to the last parameter.",
    posts=True,
    button="Count it",
    groups=(
        Group(
            title="The model",
            open=True,
            fields=(
                MODEL,
                Field(name="config", label="or paste a config.json", kind="area", hint="Read in memory, kept nowhere."),
            ),
        ),
        Group(
            title="Counted at",
            open=True,
            fields=(
                Field(name="sequence", label="Training sequence", example="4096", hint="Tokens."),
                Field(
                    name="context", label="Context in the cache", example="32k", hint="Tokens; else the model's own."
                ),
                Field(name="convention", label="FLOP convention", kind="choice", choices=CONVENTIONS),
                Field(name="kv-dtype", label="Format of the cache", kind="choice", choices=CACHES),
            ),
        ),
    ),
    answer=answer,
    charts=CHARTS,
    first={"model": "llama-3.1-8b", "context": "32k"},
    examples=(
        ("Llama 3.1 8B", {"model": "llama-3.1-8b", "context": "32k"}),
        ("DeepSeek-V3", {"model": "deepseek-v3"}),
        ("A shape for 3B parameters", {"model": "3B"}),
    ),
)
