"""Every command of the house, groups walked through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli import isoflop

if TYPE_CHECKING:
    from collections.abc import Iterator


def contexts() -> Iterator[click.Context]:
    """The root, every group and every command, each with the context that its help is made in."""
    settings = dict(isoflop.context_settings)
    root = isoflop.make_context("isoflop", [], resilient_parsing=True, **settings)
    yield from _below(root)


def _below(ctx: click.Context) -> Iterator[click.Context]:
    yield ctx
    group = ctx.command
    if isinstance(group, click.Group):
        for name in group.list_commands(ctx):
            child = group.get_command(ctx, name)
            assert child is not None
            yield from _below(click.Context(child, info_name=name, parent=ctx))


def commands() -> Iterator[tuple[str, click.Command]]:
    """(path without the program's name, command) of everything that answers."""
    for ctx in contexts():
        if not isinstance(ctx.command, click.Group):
            yield " ".join(ctx.command_path.split()[1:]), ctx.command
