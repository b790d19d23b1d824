"""The account of a run in every form."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.report import account as pages
from isoflop.report.drawings import Drawn, Story
from isoflop.report.table import Column
from isoflop.report.words import base_unit, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Table
    from isoflop.report.methods import Methods
    from isoflop.training import Account, Offer

ANCHOR = "cost"
REFS = {
    "the run": "train_time", "failures leave": "failure_goodput", "chip-hours": "chip_time", "rent": "train_cost",
    "power of the machines": "chip_power", "energy": "train_energy", "step": "step_time",
}  # fmt: skip
"""Rows, and the quantity whose step each is."""


def drawn(account: Account) -> Drawn:
    """Every form of an account."""
    from isoflop.report.methods import methods_forms

    return Drawn(
        text=lambda **look: pages.account_text(account, **_without_explain(look)),  # type: ignore[arg-type]  # of their kinds
        json=partial(pages.account_json, account),
        markdown=lambda _: pages.account_markdown(account),
        story=partial(_story, account),
        table=partial(lines_table, account),
        charts=MappingProxyType({"dates": partial(_dates, account)}),
        more=MappingProxyType({
            **methods_forms(partial(_methods, account), partial(_said_table, account)),
            "card": partial(_card, account),
        }),
    )  # fmt: skip


def _without_explain(look: dict[str, bool | int]) -> dict[str, bool | int]:
    return {name: value for name, value in look.items() if name != "explain"}


def _dates(account: Account, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_prices import run_chart

    return run_chart(account, width=width, mode=mode)


def _methods(account: Account) -> Methods:
    from isoflop.report.methods_words import cost_methods

    return cost_methods(account)


def _card(account: Account) -> str:
    from isoflop.report.model_card import account_footprint, card

    return card(account_footprint(account))


def lines_table(account: Account) -> Table:
    """The figures of the account, a row each, in base units."""
    columns = ("part", "figure", "quantity", Column(name="value", right=True), "unit", "words", "note")
    rows = [
        (
            part, line.name, line.quantity, line.value if line.quantity else None,
            base_unit(line.quantity) if line.quantity else "", line.words, line.note,
        )
        for part, lines in account.parts.items()
        for line in lines
    ]  # fmt: skip
    return columns, rows


def _said_table(account: Account) -> Table:
    """The same as people read it, for a paper."""
    rows = [
        (part, line.name, line.words or say(line.value, line.quantity))
        for part, lines in account.parts.items()
        for line in lines
    ]
    return ("part", "figure", "value"), rows


def _story(account: Account) -> Story:
    from isoflop.report.blocks import blocks_html, referring
    from isoflop.report.cost_chain import cost_chain
    from isoflop.report.html import steps_html

    chain = cost_chain(account)
    numbers = {step.gives: step.number for step in chain.steps}
    refs = {label: numbers[name] for label, name in REFS.items() if name in numbers}
    first = next((line for line in account.parts["energy"] if line.name.startswith("emissions, ")), None)
    if first is not None and "train_emissions" in numbers:
        refs[first.name] = numbers["train_emissions"]
    blocks = (referring(one, refs) for one in pages.account_blocks(account))
    run, bill = account.advice.run, account.bill
    return Story(
        title=f"What training {run.model.name} takes",
        question=(
            ("model", run.model.name), ("on", f"{bill.chips:,} x {account.advice.place.title}"),
            ("tokens", say(bill.order.tokens, "tokens")), ("sequence", f"{run.sequence:,} tokens"),
            ("batch", f"{run.batch:,} sequences"), ("grid", account.terms.grid),
        ),
        answer="".join(blocks_html(one, anchor=ANCHOR) for one in blocks),
        derivation=steps_html(chain.steps, anchor=ANCHOR),
        assumptions=(*account.advice.assumed, *account.assumed, *_terms(account)),
        sources=chain.sources,
        methods=_methods(account),
    )  # fmt: skip


def _terms(account: Account) -> tuple[str, ...]:
    """The assumptions of an account by name, those that are quantities in their units."""
    from isoflop.quantity import quantities

    found = []
    for name in type(account.terms).__dataclass_fields__:
        value = getattr(account.terms, name)
        if isinstance(value, float):
            found.append(f"{name} = {say(value, name) if name in quantities() else f'{value:g}'}")
    return tuple(found)


def drawn_offers(offers: Sequence[Offer], title: str) -> Drawn:
    """Devices and numbers of chips compared, in every form; text shows what no other beats."""
    from isoflop.report.chart_offers import offers_chart
    from isoflop.report.chart_prices import offers_dates_chart
    from isoflop.report.json import table_json
    from isoflop.report.table import table_html, table_markdown, table_text

    table = pages.offers_rows(offers)
    best = tuple(one for one in offers if one.best) or offers

    def text(**look: bool | int) -> str:
        return table_text(*pages.offers_rows(best, layouts=False), **_without_explain(look))  # type: ignore[arg-type]

    return Drawn(
        text=text,
        json=lambda: table_json(*table),
        markdown=lambda _: table_markdown(*table),
        story=lambda: Story(title=title, answer=table_html(*table)),
        table=lambda: table,
        charts=MappingProxyType({
            "offers": lambda width, mode: offers_chart(offers, title, width=width, mode=mode),
            "dates": lambda width, mode: offers_dates_chart(offers, _by_date(title), width=width, mode=mode),
        }),
    )  # fmt: skip


def _by_date(title: str) -> str:
    return f"{title.partition(':')[0]} by date of the price"
