"""`isoflop cost M --on DEVICES --tokens T --ways`: fine-tuning in three ways, and training from nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.cli.output import print_table
from isoflop.cli.side_by_side import echo_wrapped
from isoflop.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.report import Cell
    from isoflop.training import Way


def print_ways(model: str, on: str | None, tokens: str | None, options: dict[str, object], form: str) -> None:
    """The table of ways."""
    from isoflop import hardware
    from isoflop.flags.cost import terms_of
    from isoflop.flags.training import recipe_of, tokens_of
    from isoflop.model import model as find_model
    from isoflop.quantity import quantity, read, read_cluster
    from isoflop.training import Order, tariff_of
    from isoflop.training.ways import RANK, ways_of

    if on is None or tokens is None:
        raise BadInput("ways are held against each other on named devices: give --on 1xrtx-4090 and --tokens 50M")
    rank = int(str(options["lora"] or options["qlora"] or RANK))
    if recipe_of({**options, "lora": None, "qlora": None}) is not None:
        raise BadInput("--ways takes the recipe of each way; of its flags it takes --lora RANK alone")
    device = hardware.device(read_cluster(on).device)
    wish = {name: str(options[name]) for name in ("provider", "commitment", "region", "as_of") if options[name]}
    tariff = tariff_of(device, price=str(options["price"] or ""), **wish)
    order = Order(tokens=read(tokens, quantity("tokens")).spread.median, tariff=tariff)
    length = tokens_of(None if options["sequence"] is None else str(options["sequence"]))
    found = ways_of(find_model(model), on, order, terms=terms_of(options), sequence=length, rank=rank)
    _print(found, form)
    if form != "text":
        return
    echo_wrapped(f"\n{model} on {on}; where it does not fit, on the fewest of these chips that hold it.")
    for one in found:
        echo_wrapped(f"- {one.name}: {one.note}")
    echo_wrapped(
        "Which of them is good enough is not in it: no published law covers fine-tuning and training from nothing."
    )


def _print(found: Sequence[Way], form: str) -> None:
    """A row a way."""
    from isoflop.report import Column

    columns = [
        Column(name="way"), Column(name="tokens", quantity="tokens"),
        Column(name="chips", right=True, written=lambda value: f"{value:,.0f}"),
        Column(name="peak_memory", title="memory", quantity="peak_memory"),
        Column(name="train_time", title="time", quantity="train_time"),
        Column(name="train_cost", title="cost", quantity="train_cost"),
        Column(name="train_energy", title="energy", quantity="train_energy"), Column(name="fits"),
    ]  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            one.name, one.tokens, float(one.chips) if one.chips else None, one.memory or None, one.time or None,
            one.cost, one.energy, "yes" if one.fits else "with more chips" if one.chips else "no",
        )
        for one in found
    ]  # fmt: skip
    print_table(columns, rows, form)
