"""`isoflop man [COMMAND ...]`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command("man", cls=Command)
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.option("--out", type=click.Path(file_okay=False), help="Write all pages into this folder instead.")
def command(words: tuple[str, ...], *, out: str | None) -> None:
    """Show the man page of isoflop or of a command; on a terminal with man, else as roff.

    With --out a page for every command is written, to be installed where man looks (its folder man1).

    \b
    isoflop man plan
    isoflop man laws fit
    isoflop man --out ~/.local/share/man/man1
    """
    from isoflop.cli.manual import page_of
    from isoflop.cli.roff import file_of, roff

    root = click.get_current_context().find_root()
    if out is None:
        ctx = _found(root, words)
        _show(roff(page_of(ctx.command, ctx)))
        return
    folder = Path(out).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pages = [(ctx.command_path, roff(page_of(ctx.command, ctx))) for ctx in every_context(root)]
        for path, text in pages:
            (folder / file_of(path)).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadFile(f"cannot write into '{folder}': {error.strerror}; choose another folder.") from error
    click.echo(f"{len(pages)} pages written to {folder}", err=True)


def every_context(ctx: click.Context) -> Iterator[click.Context]:
    """The context of a command, then those of all commands below it."""
    yield ctx
    group = ctx.command
    if isinstance(group, click.Group):
        for name in group.list_commands(ctx):
            child = group.get_command(ctx, name)
            if child is not None:
                yield from every_context(click.Context(child, info_name=name, parent=ctx))


def _found(ctx: click.Context, words: tuple[str, ...]) -> click.Context:
    """The context of the command that the words name. Raises: click.UsageError with close matches for none."""
    for word in words:
        group = ctx.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"'{ctx.command_path}' has no commands of its own", ctx)
        name, child, _ = group.resolve_command(ctx, [word])
        assert child is not None
        ctx = click.Context(child, info_name=name, parent=ctx)
    return ctx


def _show(text: str) -> None:
    """Through man where somebody looks on and man is there; else as it is."""
    program = shutil.which("man")
    if program is not None and sys.stdout.isatty():
        subprocess.run([program, "-l", "-"], input=text.encode(), check=False)  # noqa: S603 - the user's own man
    else:
        click.echo(text, nl=False)
