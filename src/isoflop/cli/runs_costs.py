"""`isoflop runs --table costs` and `--table gpt-4`: published costs beside ours, and a rumour held against itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.cli.output import print_table
from isoflop.cli.side_by_side import echo_wrapped
from isoflop.quantity import quantity, write
from isoflop.report import Column

if TYPE_CHECKING:
    from isoflop.report import Cell

TABLES = ("costs", "gpt-4")


def print_costs(form: str) -> None:
    """Epoch AI's three methods beside ours on the same chip-hours."""
    from isoflop.accuracy.costs import WHY, costs_beside

    columns = [
        Column(name="run"), Column(name="method"), Column(name="epoch", title="Epoch AI", quantity="train_cost"),
        Column(name="ours", quantity="train_cost"),
        Column(name="ratio", title="ours over it", right=True, written=lambda value: f"{value:.2f}"),
        Column(name="taken", title="from"),
    ]  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (one.run, one.method, one.published, one.ours, one.ratio, one.taken) for one in costs_beside()
    ]
    print_table(columns, rows, form)
    if form != "text":
        return
    echo_wrapped("\nOn the chip-hours and chips that are stated of each run. Why they differ:")
    for line in WHY:
        echo_wrapped(f"- {line}.")


def print_rumour(form: str) -> None:
    """GPT-4's rumoured figures: whether they close."""
    from isoflop.accuracy.costs import rumour

    found = rumour()
    columns = [
        Column(name="train_time", title="if it took", quantity="train_time"),
        Column(name="chip_time", title="chip-hours", quantity="chip_time"),
        Column(name="mfu", title="MFU", quantity="mfu"), Column(name="price", title="an A100", quantity="price"),
    ]  # fmt: skip
    rows: list[tuple[Cell, ...]] = [(one.time, one.chip_time, one.mfu, one.price) for one in found.closings]
    print_table(columns, rows, form)
    if form != "text":
        return
    flops, active = write(found.flops, quantity("train_flops")), write(found.active_params, quantity("active_params"))
    implied = write(found.implied_active, quantity("active_params"))
    echo_wrapped(
        f"\nRumoured: {found.chips:,.0f} A100 for 90 to 100 days, {flops}, "
        f"{write(found.tokens, quantity('tokens'))} tokens, {active} active parameters, "
        f"{write(found.cost, quantity('train_cost'))}. The FLOP over 6 x tokens are {implied} parameters. They close: "
        "one utilisation, one price and one size fit all of them. That says nothing of whether they are true."
    )
