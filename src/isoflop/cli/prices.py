"""`isoflop prices [DEVICE]` and `isoflop prices update FILE`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Group
from isoflop.cli.output import PICTURES, Output, output_options, print_chart, print_table
from isoflop.errors import BadInput, MissingData, shorten

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    import altair as alt

    from isoflop.hardware import Choice, Price
    from isoflop.hardware.skypilot import Catalogue
    from isoflop.report import Cell, Column
    from isoflop.report.chart_theme import Mode

COMMITMENTS = ("on-demand", "1y", "3y", "spot")


class ListFirst(Group):
    """A group whose first command need not be named: `prices tpu-v4` is `prices list tpu-v4`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the first command before what names none."""
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


@click.group("prices", cls=ListFirst, subcommand_metavar="[list] [DEVICE] | update FILE")
def command() -> None:
    """List what a chip-hour costs, or read price lists of your own.

    The word list may be left out.

    \b
    isoflop prices h100-sxm --commitment spot
    isoflop prices update skypilot-catalog/catalogs/v8 --date 2025-06-01
    isoflop prices h100-sxm --folder prices --spread
    isoflop solve train_cost chip_time='1000 chip-hours' device=h100-sxm prices=prices
    """


def _filters(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--folder", help="Read the price files of this folder too."),
        click.option("--as-of", "as_of", help="Only prices known on this date, as 2023-03-29."),
        click.option("--region", help="Only this region (any part of the name)."),
        click.option("--commitment", help="on-demand, 1y, 3y or spot."),
        click.option("--provider", help="Only this provider (any part of the name)."),
    ):
        function = option(function)
    return function


@command.command("list", short_help="Prices by provider, region, commitment and date.")
@click.argument("device", required=False)
@_filters
@click.option("--spread", is_flag=True, help="Only what the current prices span, by commitment.")
@output_options(charts=("dates",))
def list_prices(device: str | None, *, spread: bool, output: Output, **chosen: str | None) -> None:
    """List what a chip-hour costs, by provider, region, commitment and date; oldest first.

    A price without a date is listed as undated. DEVICE is a device by name; without it all devices are listed. Below a
    device stands what its current prices span: each provider's latest that are within a year of the newest.

    \b
    isoflop prices list h100-sxm --commitment spot --as-of 2025-06-01
    isoflop prices list h100-sxm --spread
    """
    from isoflop.hardware import device_names, find_prices

    form = output.form
    wanted = {key: value for key, value in chosen.items() if value is not None}
    if form in PICTURES:
        print_chart({"dates": partial(_chart, device, wanted)}, output)
        return
    if spread:
        _print_spreads((device,) if device else device_names(), wanted, form)
        return
    _print_list(find_prices(device, **wanted), form, of_one=device is not None)
    if device is not None and form == "text":
        click.echo()
        _print_spreads((device,), wanted, form)


def _chart(device: str | None, wanted: Mapping[str, str], width: int, mode: Mode) -> alt.TopLevelMixin:
    """Prices over time: of a device by commitment, else of the devices with the most dates."""
    from isoflop.hardware import find_prices
    from isoflop.report import device_chart, devices_chart

    found = find_prices(device, **wanted)
    if device is None:
        return devices_chart(found, width=width, mode=mode)
    return device_chart(device, found, width=width, mode=mode)


def _print_list(found: tuple[Price, ...], form: str, *, of_one: bool) -> None:
    """The prices; people get the columns that fit a screen, scripts all of them."""
    from isoflop.report import Column

    price = Column(name="price", title="$/chip/h", quantity="price", shown="$/chip/h")
    columns: list[Column | str] = [
        "device", price, "commitment", "date", "provider", "region", Column(name="sold", title="sold for"), "source",
        "note",
    ]  # fmt: skip
    rows = [tuple(_cells(price, form)) for price in found]
    shown = range(len(columns))
    if form == "text":
        shown = range(1, 7 if any(row[6] for row in rows) else 6) if of_one else range(6)
    print_table([columns[i] for i in shown], [[row[i] for i in shown] for row in rows], form)


def _cells(price: Price, form: str) -> list[Cell]:
    sale = price.sale
    is_plain = form == "text" and sale.noun == "chip" and "/h" in sale.text  # the price says it already
    return [
        " or ".join(price.devices), price.amount, price.commitment, str(price.date or "undated"), price.provider,
        price.region, "" if is_plain else sale.text, price.source, price.note,
    ]  # fmt: skip


def _print_spreads(devices: tuple[str, ...], wanted: Mapping[str, str], form: str) -> None:
    """What the current prices of each device span, one row a commitment."""
    from isoflop.report import Column

    columns: list[Column | str] = [
        "device",
        "commitment",
        Column(name="low", title="lowest", quantity="price", shown="$/chip/h"),
        Column(name="high", title="highest", quantity="price", shown="$/chip/h"),
        Column(name="cheapest", title="asked by"),
        Column(name="dearest", title="and by"),
        Column(name="prices", right=True),
        Column(name="since", title="oldest"),
    ]
    rows = [row for device in devices for row in _spreads(device, wanted)]
    if not rows and len(devices) == 1:
        raise MissingData(f"no current price of {devices[0]} fits; see them all with: isoflop prices {devices[0]}")
    if form == "text":
        shown = range(1, 8) if len(devices) == 1 else (0, 1, 2, 3, 6, 7)
        columns, rows = [columns[i] for i in shown], [tuple(row[i] for i in shown) for row in rows]
        click.echo("Current prices of a chip-hour, from the cheapest provider to the dearest:\n")
    print_table(columns, rows, form)


def _spreads(device: str, wanted: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    from isoflop.hardware import choose_price
    from isoflop.hardware.choice import commitment_of

    rest = {key: value for key, value in wanted.items() if key != "commitment"}
    asked = (commitment_of(wanted["commitment"]),) if "commitment" in wanted else COMMITMENTS
    rows = []
    for commitment in asked:
        try:
            choice = choose_price(device, commitment=commitment, **rest)
        except MissingData:
            continue  # no such price; the other commitments may have one
        rows.append(_spread(device, commitment, choice))
    return rows


def _spread(device: str, commitment: str, choice: Choice) -> tuple[Cell, ...]:
    spread, every = choice.spread(), (choice.price, *choice.others)
    dates = [price.date for price in every if price.date]
    oldest = str(min(dates)) if dates else "undated"
    return device, commitment, spread.low, spread.high, every[0].provider, every[-1].provider, float(len(every)), oldest


@command.command("update", short_help="Price files from SkyPilot catalogue files.")
@click.argument("place", metavar="FILE|FOLDER")
@click.option("--cloud", default="", help="Which cloud a single file is of: aws, gcp, ... Else its folder's name says.")
@click.option("--date", "day", help="The day the lists are of, as 2025-06-01; without it the prices have no date.")
@click.option("--out", default="prices", show_default=True, help="The folder to write price files into.")
@output_options(file=False)
def update(place: str, *, cloud: str, day: str | None, out: str, output: Output) -> None:
    """Read SkyPilot catalogue files (CLOUD/vms.csv) and write price files, a device a file.

    Nothing is fetched and the package's own catalogue is not changed. What cannot be priced is left out and counted, by
    reason. Prices that the folder holds of the same provider and day are replaced, others kept.

    \b
    isoflop prices update skypilot-catalog/catalogs/v8 --date 2025-06-01
    """
    from isoflop.hardware.price_folder import write_folder
    from isoflop.hardware.skypilot import read_catalogue

    found = read_catalogue(place, cloud=_cloud(place, cloud), date=_day(day))
    if not found.prices:
        reasons = "; ".join(f"{reason}: {count}" for reason, count in found.left_out.items()) or "there are no rows"
        raise MissingData(f"{shorten(place, most=200)}: no price in it ({reasons}). Nothing is written.")
    written = write_folder(found.prices, out)
    _report(found, written, out, output.form)
    if day is None:
        click.echo(
            "The prices have no date: they are taken only where no dated one fits. Say which day they are of with "
            "--date 2025-06-01.",
            err=True,
        )


def _cloud(place: str, cloud: str) -> str:
    """The cloud by name; a single file in a folder of another name has to be told, for clouds write differently."""
    from isoflop.hardware.skypilot_names import PROVIDERS

    folder = Path(place).resolve().parent.name
    if not cloud and Path(place).is_file() and folder not in PROVIDERS:
        raise BadInput(
            f"'{shorten(folder)}' is no cloud: say which one {shorten(place, most=200)} is of, like --cloud aws; known "
            f"are {', '.join(PROVIDERS)}."
        )
    return cloud


def _day(text: str | None) -> dt.date | None:
    import datetime as dt

    try:
        return dt.date.fromisoformat(text) if text is not None else None
    except ValueError as error:
        raise BadInput(f"--date '{shorten(text or '')}' is no day; write it like 2025-06-01.") from error


def _report(found: Catalogue, written: Mapping[str, int], out: str, form: str) -> None:
    """What was read, what was left out and why, what was written."""
    read: dict[str, int] = {}
    for price in found.prices:
        read[price.provider] = read.get(price.provider, 0) + 1
    parts: tuple[tuple[str, Mapping[str, int]], ...] = (
        ("read", dict(sorted(read.items()))), ("left out", found.left_out), ("written", written)
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (what, name, float(count)) for what, counts in parts for name, count in counts.items()
    ]
    if form != "text":
        print_table(("what", "name", "count"), rows, form)
        return
    print_table(("provider", "prices"), [row[1:] for row in rows if row[0] == "read"], form)
    left_out = [row[1:] for row in rows if row[0] == "left out"]
    if left_out:
        click.echo()
        print_table(("left out", "rows"), left_out, form)
    click.echo(f"\n{sum(written.values()):,} prices in {len(written)} files in {out}: use them with prices={out}")
