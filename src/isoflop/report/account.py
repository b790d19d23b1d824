"""The whole account of a run, drawn: text, Markdown, HTML, JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.quantity import quantity, write
from isoflop.report.blocks import Blocks, Row, blocks_markdown, blocks_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.report.json import Json
    from isoflop.training import Account, Offer
    from isoflop.training.account import Line

TITLES = {
    "time": "Time",
    "money": "Money",
    "energy": "Energy, emissions, water",
    "data": "Data",
    "checkpoints": "Checkpoints",
    "life": "Training and serving, over its life",
}
"""Parts of an account, and what stands over each."""


def account_text(account: Account, *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """The account for a terminal."""
    parts = [blocks_text(blocks, width=width, color=color, ascii_only=ascii_only) for blocks in account_blocks(account)]
    return "\n\n".join(parts)


def account_markdown(account: Account) -> str:
    """The account as Markdown."""
    return "\n\n".join(blocks_markdown(blocks) for blocks in account_blocks(account))


def account_html(account: Account) -> str:
    """The account as one self-contained page: question, answer, charts, derivation, Methods, sources."""
    from isoflop.report.drawings import drawn
    from isoflop.report.report_page import document

    return document(drawn(account))


def account_blocks(account: Account) -> list[Blocks]:
    """What stands there, part by part; the first says what run it is."""
    advice, bill = account.advice, account.bill
    held = advice.chosen
    assert held is not None
    head = f"{advice.run.model.name} on {bill.chips:,} x {advice.place.title}, {_tokens(bill.order.tokens)}"
    said = [Row(label="layout", value=held.layout.words())]
    if held.pace is not None:
        said.append(Row(label="step", value=write(held.pace.step, quantity("step_time"))))
    found = [Blocks(title=head, rows=tuple(said))]
    for name, lines in account.parts.items():
        rows = tuple(Row(label=one.name, value=_value(one), remark=one.note) for one in lines)
        found.append(Blocks(title=TITLES[name], rows=rows))
    return found


def _tokens(tokens: float) -> str:
    return f"{write(tokens, quantity('tokens'))} tokens" if "token" not in write(tokens, quantity("tokens")) else write(
        tokens, quantity("tokens")
    )  # fmt: skip


def _value(one: Line) -> str:
    return one.words or write(one.value, quantity(one.quantity))


def account_json(account: Account) -> dict[str, Json]:
    """The account for scripts: base units, quantity names."""
    bill, terms = account.bill, account.terms
    return {
        "schema_version": 1,
        "model": account.advice.run.model.name,
        "device": account.advice.place.device,
        "chips": bill.chips,
        "tokens": bill.order.tokens,
        "parts": {
            name: [
                {"name": one.name, "value": one.value, "quantity": one.quantity, "words": one.words, "note": one.note}
                for one in lines
            ]
            for name, lines in account.parts.items()
        },
        "train_time": {"value": bill.time, "low": bill.time_low, "high": bill.time_high, "interval": 0.9},
        "assumptions": {name: getattr(terms, name) for name in type(terms).__dataclass_fields__},
    }


def offers_rows(offers: Sequence[Offer], *, layouts: bool = True) -> tuple[list[str], list[tuple[str, ...]]]:
    """The table of offers: columns and rows, those that no other beats in time and money marked."""
    head = ["device", "chips", "time", "cost", "price", *(["layout"] if layouts else []), "best"]
    rows: list[tuple[str, ...]] = [
        (
            one.device,
            f"{one.bill.chips:,}",
            write(one.bill.time, quantity("train_time")),
            write(one.cost, quantity("train_cost")),
            one.price,
            *((one.layout,) if layouts else ()),
            "*" if one.best else "",
        )
        for one in offers
    ]
    return head, rows
