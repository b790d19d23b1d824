"""`isoflop prices [DEVICE]`."""

from __future__ import annotations

import click

from isoflop.cli.knowns import print_table, table_options


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
    columns = (
        "device",
        Column(name="price", quantity="price"),
        "commitment",
        "date",
        "provider",
        "region",
        "sold",
    )
    rows = [
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
        columns = (*columns, "source", "note")
        rows = [(*row, price.source, price.note) for row, price in zip(rows, found, strict=True)]
    print_table(columns, rows, "json" if as_json else form)
