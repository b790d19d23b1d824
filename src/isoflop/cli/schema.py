"""`isoflop schema [NAME]`."""

from __future__ import annotations

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.errors import BadInput


@click.command("schema", cls=Command)
@click.argument("name", required=False)
@click.option("--whole", is_flag=True, help="One schema of all kinds.")
@output_options()
def command(name: str | None, *, whole: bool, output: Output) -> None:
    """Print the JSON Schema of what --json prints, of one kind or of all; without NAME, list the kinds.

    Every object carries schema_version. Fields may be added without a new one; it grows when a field is removed, is
    renamed, or changes its meaning or its unit.

    \b
    isoflop schema
    isoflop schema training
    isoflop schema --whole > isoflop.schema.json
    """
    from isoflop.report import dumps
    from isoflop.report.schemas import printed_by, schema, schema_names, schema_of, title_of

    if name is not None and whole:
        raise BadInput("give the name of a kind, or --whole for all of them")
    if name is not None or whole:
        if output.form not in {"text", "json"}:
            raise BadInput("a schema is JSON; --format is for the list of kinds")
        click.echo(dumps(schema() if name is None else schema_of(name)))
        return
    rows = [(one, printed_by(one), title_of(one)) for one in schema_names()]
    print_table(("kind", "printed by", "is"), rows, output.form)
