"""`isoflop formulas [NAME]`."""

from __future__ import annotations

import click

from isoflop.cli.knowns import terminal_width, wrapped
from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table


@click.command("formulas", cls=Command)
@click.argument("name", required=False)
@output_options()
def command(name: str | None, *, output: Output) -> None:
    """List the book of formulas, or show one whole: what it neglects, what it assumes, where it comes from.

    NAME is a formula or a quantity that it gives or needs.

    \b
    isoflop formulas train_flops
    isoflop formulas loss --format md
    """
    from isoflop.book import BOOK
    from isoflop.errors import UnknownName
    from isoflop.relation import describe

    found = [relation for relation in BOOK if name is None or name == relation.name]
    found = found or [relation for relation in BOOK if name in relation.quantities]
    if not found:
        known = {key for relation in BOOK for key in (relation.name, *relation.quantities)}
        raise UnknownName("formula", name or "", known, listing="isoflop formulas")
    columns = ("formula", "gives", "is", "kind", "assumes", "source")
    rows = []
    for relation in found:
        assumed = ", ".join(f"{key} = {value:g}" for key, value in relation.defaults.items())
        rows.append(
            (relation.name, relation.gives, describe(relation), relation.kind, assumed, ", ".join(relation.sources))
        )
    if name is not None and output.form == "text":
        click.echo("\n\n".join(_whole(relation.name) for relation in found))
        return
    shown = (0, 2, 5) if output.form == "text" else range(len(columns))
    print_table([columns[i] for i in shown], [[row[i] for i in shown] for row in rows], output.form)


def _whole(name: str) -> str:
    """One formula with its whole docstring."""
    from isoflop.book import BOOK
    from isoflop.book.sources import source
    from isoflop.relation import describe

    relation = next(relation for relation in BOOK if relation.name == name)
    lines = [wrapped(f"{relation.gives} = {describe(relation)}", rest="    "), "", *_flowing(relation.doc)]
    for key in relation.sources:
        entry = source(key)
        said = f"[{key}] {entry.authors}: {entry.title}, {entry.year}. {entry.url}".rstrip()
        lines.append(wrapped(said, first="  ", rest="    "))
    return "\n".join(lines)


def _flowing(doc: str) -> list[str]:
    """A docstring's paragraphs in the terminal's width; its examples as they stand."""
    lines: list[str] = []
    prose: list[str] = []
    example = False
    for line in [*doc.split("\n"), ""]:
        example = line.startswith((">>>", "...")) or (example and bool(line.strip()))
        if prose and (example or not line.strip() or line.startswith(("Source:", "Neglects:"))):
            lines.append(wrapped(" ".join(prose), first="  ", rest="  "))
            prose = []
        if example or not line.strip():
            code, _, remark = line.partition("  # ") if len(line) + 2 > terminal_width() else (line, "", "")
            lines += [wrapped(f"# {remark}", first="  ", rest="  # ")] if remark else []
            lines.append(f"  {code}".rstrip())
        else:
            prose.append(line)
    return lines[:-1]
