"""`isoflop quantities [NAME]`."""

from __future__ import annotations

import click

from isoflop.cli.knowns import wrapped
from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table


@click.command("quantities", cls=Command)
@click.argument("name", required=False)
@click.option("--section", help="Only this section of the glossary: work, rate, money, ...")
@output_options()
def command(name: str | None, section: str | None, *, output: Output) -> None:
    """List the glossary, or one quantity with the formulas that hold it.

    Every quantity has this one name everywhere: on the command line, in Python, in files and in JSON.

    \b
    isoflop quantities mfu
    isoflop quantities --section money
    """
    from isoflop.errors import UnknownName
    from isoflop.quantity import quantities, quantity

    chosen = [quantity(name.replace("-", "_"))] if name else list(quantities().values())
    sections = tuple(dict.fromkeys(entry.section for entry in quantities().values()))
    if section is not None:
        if section not in sections:
            raise UnknownName("section", section, sections, listing="isoflop quantities")
        chosen = [entry for entry in chosen if entry.section == section]
    columns = ("quantity", "symbol", "unit", "meaning")
    rows = [(entry.name, entry.symbol, entry.unit_text, entry.meaning) for entry in chosen]
    print_table(columns, rows, output.form)
    if name and output.form == "text":
        _details(chosen[0].name)


def _details(name: str) -> None:
    """What else there is to know of one quantity: other names, range, formulas."""
    from isoflop.book import BOOK
    from isoflop.quantity import quantity, write
    from isoflop.relation import describe

    entry = quantity(name)
    low, high = entry.plausible
    if entry.aliases:
        click.echo("\n" + wrapped(f"also: {', '.join(entry.aliases)}", rest="  "))
    click.echo(f"\n{entry.domain}; seen so far: {write(low, entry)} to {write(high, entry)}")
    click.echo("\nformulas:")
    for relation in BOOK:
        if name in relation.quantities:
            click.echo(wrapped(f"{relation.gives} = {describe(relation)}", first="  ", rest="    "))
