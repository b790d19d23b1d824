"""Serving: what fits, how fast, for how much, on which chips."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from isoflop.errors import BadInput
from isoflop.report import drawn, front_table, serving_blocks, serving_chart, serving_json, table_csv
from isoflop.report.drawn_serving import REFS
from isoflop.report.html import step_id
from isoflop.report.markup import html_escape
from isoflop.report.serving import device_table
from isoflop.report.serving_steps import derivation
from isoflop.serving import RUNTIMES
from isoflop.web import words
from isoflop.web.fields import Field, Group, Part, Shown, Slider, View
from isoflop.web.views.common import (
    DEVICES,
    MODEL,
    PRICE,
    ledger_part,
    ledger_words,
    linked,
    report_page,
    table_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import altair as alt

    from isoflop.report.chart_serving import ServingChart
    from isoflop.report.chart_theme import Mode
    from isoflop.serving.advice import Service

CHARTS = {"pareto": "Cost against speed", "memory": "Memory of a chip", "step": "Where a step of decoding goes"}


def answer(given: Mapping[str, str]) -> Shown:
    """What `isoflop serving` says of the form."""
    for name in ("model", "on"):
        if name not in given:
            raise BadInput("serving needs a model and devices, such as llama-3.1-70b on 8xh100-sxm")
    return shown(words.serving_answer(given))


def shown(service: Service) -> Shown:
    """The deployment on the page."""
    blocks, made = serving_blocks(service), drawn(service)
    texts = [text.partition("] ")[2] for text in derivation(service)]
    timed = service.step is not None and service.searched is not None
    usual = {"weights": "memory", "state": "memory"}
    return Shown(
        blocks=(blocks,),
        json=partial(serving_json, service),
        later=lambda: tuple(_parts(service, texts)),
        links={**linked(blocks, usual, usual="steps"), **_step_links(texts)},
        hovers={
            **{step_id("serving", number): text for number, text in enumerate(texts, start=1)},
            "memory": ledger_words(service.memory),
            "steps": "\n".join(texts[:3]),
        },
        charts={kind: _chart(service, kind) for kind in (CHARTS if timed else ("memory",))},
        page=partial(report_page, service),
        csv=(lambda: table_csv(*front_table(service))) if service.searched is not None else None,
        files=made.more,
    )


def _step_links(texts: list[str]) -> dict[str, str]:
    """Row label -> the step that gives it."""
    return {
        label: step_id("serving", number)
        for label, start in REFS.items()
        for number, text in enumerate(texts, start=1)
        if text.startswith(f"{start} =")
    }


def _parts(service: Service, texts: list[str]) -> Iterator[Part]:
    items = "".join(
        f'<li id="{step_id("serving", number)}">{html_escape(text)}</li>' for number, text in enumerate(texts, start=1)
    )
    yield Part(title="Derivation, step by step", anchor="steps", html=f'<ol class="steps">{items}</ol>')
    yield ledger_part(service.memory, "memory")
    if service.step is not None:
        yield ledger_part(service.step, "step")
    if service.searched is not None:
        yield table_part("Placements and loads that nothing beats", "front", front_table(service))
    if service.wish.devices:
        yield table_part("Devices that hold it", "devices", device_table(service), unfolded=True)


def _chart(service: Service, kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        return serving_chart(service, cast("ServingChart", kind), width=width, mode=mode)

    return draw


VIEW = View(
    name="serving",
    title="Serving",
    lead="What fits, how fast it answers, for how much a million tokens.",
    slow=True,
    groups=(
        Group(
            title="The load",
            open=True,
            fields=(
                MODEL,
                DEVICES,
                Field(name="concurrency", label="Requests at once", example="64",
                      slider=Slider(low=0, high=3, form="{}", log=True)),
                Field(name="input", label="Tokens read", example="2k", hint="A request."),
                Field(name="output", label="Tokens written", example="512", hint="A request."),
                Field(name="context", label="Longest context", example="32k"),
                Field(name="ttft", label="Limit on the first token", example="2 s"),
                Field(name="tpot", label="Limit between tokens", example="30 ms"),
                Field(name="devices", label="Compare all devices", kind="flag"),
            ),
        ),
        Group(
            title="Runtime and formats",
            fields=(
                Field(name="runtime", label="Runtime", kind="choice", choices=RUNTIMES),
                Field(name="weights", label="Format of weights", example="fp8"),
                Field(name="kv", label="Format of the cache", example="fp8"),
                Field(name="memory-fraction", label="Share of memory", example="90%"),
                Field(name="draft-tokens", label="Tokens guessed ahead"),
                Field(name="tp", label="Tensor-parallel ranks"),
                Field(name="pp", label="Pipeline stages"),
                Field(name="dp", label="Groups of attention"),
                Field(name="ep", label="Expert-parallel ranks"),
            ),
        ),
        Group(title="Whose price", fields=(*PRICE, Field(name="api", label="Price of an API", hint="3,15"))),
    ),
    answer=answer,
    charts=CHARTS,
    first={"model": "llama-3.1-70b", "on": "8xh100-sxm", "input": "2k", "output": "512", "concurrency": "64"},
    examples=(
        ("Llama 3.1 70B on 8 H100",
         {"model": "llama-3.1-70b", "on": "8xh100-sxm", "input": "2k", "output": "512", "concurrency": "64"}),
        ("DeepSeek-V3 on H200", {"model": "deepseek-v3", "on": "h200-sxm", "context": "64k", "runtime": "sglang"}),
        ("8B in 4 bits on an RTX 4090",
         {"model": "llama-3.1-8b", "on": "rtx-4090", "runtime": "llama.cpp", "weights": "q4_k_m", "context": "8k"}),
    ),
)  # fmt: skip
