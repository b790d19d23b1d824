"""Cost: what a training run takes, whole: time with failures, money, energy, emissions, water, data, checkpoints."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.report import Blocks, Row, account_json, drawn, offers_rows, page, table_csv, table_html, table_json
from isoflop.report.account import account_blocks
from isoflop.report.cost_chain import cost_chain
from isoflop.report.drawn_cost import REFS, drawn_offers, lines_table
from isoflop.report.words import say
from isoflop.training import RECIPES, engines
from isoflop.web import words
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.views.common import (
    DEVICES,
    MODEL,
    PRICE,
    chain_links,
    chain_part,
    linked,
    report_page,
    step_words,
    table_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import altair as alt

    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Drawn
    from isoflop.training import Account, Offer

CHARTS = {"offers": "Money against time", "dates": "What it would have cost, by date of the price"}


def answer(given: Mapping[str, str]) -> Shown:
    """The account of the run on named devices, or devices compared."""
    for name in ("model", "tokens"):
        if name not in given:
            raise BadInput("a cost needs a model and its tokens, such as llama-3.1-8b on 1T")
    found = words.cost_answer(given)
    title = f"{given['model']} on {given['tokens']} tokens"
    return _compared(found, title) if isinstance(found, tuple) else shown(found)


def shown(account: Account) -> Shown:
    """One run on the page."""
    blocks, chain, made = tuple(account_blocks(account)), cost_chain(account), drawn(account)
    links = {label: anchor for one in blocks for label, anchor in linked(one, {}, usual="lines").items()}
    notes = {line.name: line.note for lines in account.parts.values() for line in lines if line.note}
    return Shown(
        blocks=blocks,
        json=partial(account_json, account),
        parts=(
            chain_part(chain.steps, "cost"),
            table_part("Every figure in base units", "lines", lines_table(account)),
        ),
        links={**links, **chain_links(chain.steps, REFS, "cost")},
        hovers={
            **step_words(chain.steps, "cost"),
            "lines": "A figure of the account; its assumptions stand beside it.",
        },
        says={name: note for name, note in notes.items() if name not in REFS},
        charts={"dates": _chart(made, "dates")},
        page=partial(report_page, account),
        csv=lambda: table_csv(*lines_table(account)),
        files=made.more,
    )


def _compared(found: tuple[Offer, ...], title: str) -> Shown:
    made = drawn_offers(found, f"{title}: money against time")
    cheapest, soonest = min(found, key=lambda one: one.cost), min(found, key=lambda one: one.bill.time)
    rows = tuple(
        Row(
            label=label,
            value=f"{say(one.cost, 'train_cost')} in {say(one.bill.time, 'train_time')}",
            remark=f"{one.bill.chips:,} x {one.device}, {one.price}",
        )
        for label, one in (("cheapest", cheapest), ("soonest", soonest))
    )
    table = offers_rows(found)
    best = offers_rows(tuple(one for one in found if one.best) or found)
    return Shown(
        blocks=(Blocks(title=title, rows=rows),),
        json=lambda: table_json(*table),
        parts=(
            table_part("What no other beats in both time and money", "best", best, unfolded=True),
            table_part("Everything that was priced", "offers", table),
        ),
        links={row.label: "best" for row in rows},
        hovers={"best": "Each device at several numbers of chips: the best usual layout timed, its hours priced at the "
                        "latest price there is; failures, restarts and checkpoints are in the time."},
        charts={kind: _chart(made, kind) for kind in CHARTS},
        page=lambda: page(title, table_html(*table)),
        csv=partial(table_csv, *table),
    )  # fmt: skip


def _chart(made: Drawn, kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        return made.charts[kind](width, mode)

    return draw


VIEW = View(
    name="cost",
    under="training",
    title="Cost of a run",
    tab="Cost, energy, emissions",
    lead="A run accounted for, whole: time with failures, money, energy, emissions, water, data; or devices compared.",
    slow=True,
    groups=(
        Group(
            title="The run",
            open=True,
            fields=(
                MODEL,
                Field(name="tokens", label="Training tokens", example="1T"),
                Field(name=DEVICES.name, label=DEVICES.label, listed="devices", example="512xh100-sxm",
                      hint="Left empty, a dozen are compared."),
                Field(name="sequence", label="Sequence", example="8k", hint="Tokens of a sequence."),
                Field(name="batch", label="Batch", example="4M tokens"),
                Field(name="deadline", label="Deadline", example="30 days", hint="Of devices compared."),
                Field(name="budget", label="Budget", example="$100k", hint="Of devices compared."),
            ),
        ),
        Group(
            title="Where, at which power",
            fields=(
                Field(name="grid", label="Electricity grid", listed="grids", example="us"),
                Field(name="electricity-price", label="Electricity", example="$0.08/kWh"),
                Field(name="pue", label="Building over machines", example="1.1"),
                Field(name="power-ratio", label="Machines over the board's TDP", example="1.1"),
                Field(name="wue", label="Water a kWh", example="1.8", hint="Litres on site."),
            ),
        ),
        Group(
            title="Failures, ownership, what comes before and after",
            fields=(
                Field(name="chip-mtbf", label="Between failures of a chip", example="50000 chip h"),
                Field(name="restart-time", label="From a failure to the next step", example="10 min"),
                Field(name="checkpoint-rate", label="What a chip writes", example="0.25 GB/s"),
                Field(name="chip-capital", label="Price of a chip, owned", example="$40k/chip"),
                Field(name="lifetime", label="Written off over", example="4 years"),
                Field(name="utilisation", label="Share of that it works", example="80%"),
                Field(name="development", label="Work before the run", example="0.5", hint="Over its own."),
                Field(name="evaluation", label="Evaluations over steps", example="0.02"),
                Field(name="epochs", label="How often each token is seen", example="1"),
                Field(name="storage-price", label="Storage", example="$0.02/GB/month"),
            ),
        ),
        Group(
            title="Recipe",
            fields=(
                Field(name="recipe", label="Recipe", kind="choice", choices=tuple(RECIPES)),
                Field(name="engine", label="Software", kind="choice", choices=tuple(engines())),
                Field(name="matmul", label="Format of products", kind="choice", choices=("bf16", "fp8", "fp4")),
                Field(name="lora", label="LoRA rank"),
                Field(name="qlora", label="QLoRA rank"),
            ),
        ),
        Group(title="Whose price", fields=PRICE),
    ),
    answer=answer,
    charts=CHARTS,
    first={"model": "llama-3.1-8b", "tokens": "1T", "on": "512xh100-sxm"},
    examples=(
        ("Llama 3.1 8B on 512 H100", {"model": "llama-3.1-8b", "tokens": "1T", "on": "512xh100-sxm"}),
        ("The same on any device, within 30 days", {"model": "llama-3.1-8b", "tokens": "1T", "deadline": "30 days"}),
        ("In France, chips of one's own", {
            "model": "llama-3.1-8b", "tokens": "1T", "on": "512xh100-sxm", "grid": "fr", "chip-capital": "$40k/chip",
        }),
    ),
)  # fmt: skip
