"""`isoflop prices [DEVICE]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import print_table, table_options

if TYPE_CHECKING:
    from isoflop.report import Cell


@click.command("prices")
@click.argument("device", required=False)
@click.option("--provider", help="Only this provider (any part of the name).")
@click.option("--commitment", help="on-demand, 1y, 3y or spot.")
@click.option("--region", help="Only this region (any part of the name).")
@click.option("--as-of", "as_of", help="Only prices known on this date, as 2023-03-29.")
@table_options
def command(device: str | None, *, as_json: bool, form: str, **chosen: str | None) -> None:
    """List what a chip-hour costs, by provider, region, commitment and date; oldest first.

    A price without a date is listed as undated. DEVICE is a device by name; without it all devices are listed.
    """
    from isoflop.hardware import find_prices
    from isoflop.report import Column

    wanted = {key: value for key, value in chosen.items() if value is not None}
    found = find_prices(device, **wanted)
    price = Column(name="price", quantity="price")
    columns: list[Column | str] = ["device", price, "commitment", "date", "provider", "region", "sold"]
    rows: list[tuple[Cell, ...]] = [
        (
            " or ".join(price.devices),
            price.amount,
            price.commitment,
            str(price.date or "undated"),
            price.provider,
            price.region,
            price.sale.text,
        )
        for price in found
    ]
    if as_json or form != "text":
        columns += ["source", "note"]
        rows = [(*row, price.source, price.note) for row, price in zip(rows, found, strict=True)]
    first = 1 if device is not None and form == "text" and not as_json else 0  # the device that was asked for is known
    print_table(columns[first:], [row[first:] for row in rows], "json" if as_json else form)
