"""What --help and the man page of a command say, made once of the command itself and of `pages`.

Every command of the house is a `Command`, every group a `Group`: they put options under headings of purpose, examples
where they can be copied, then exit codes and the commands that go on from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import cleandoc
from typing import TYPE_CHECKING

import click

from isoflop.cli.kinds import with_kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

WIDTH = 78
"""Columns of an example; longer ones are broken with a backslash, as a shell takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A call that can be copied, and what it is for, "" where it says so itself."""

    line: str
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything there is to say of a command; `sections` hold (options, help) under a heading."""

    path: str
    usage: str
    about: tuple[str, ...]
    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    examples: tuple[Example, ...]
    exits: Mapping[int, str]
    see: tuple[str, ...]


class Command(click.Command):
    """A command whose help is a `Page`."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters, each with what it takes."""
        params = super().get_params(ctx)
        with_kinds(key_of(ctx), params)
        return params

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The whole page."""
        write_page(page_of(self, ctx), formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under their headings."""
        write_sections(page_of(self, ctx), formatter)


class Group(click.Group):
    """A group of commands, with the same help and with close matches for a command that it has not."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the file, which is the order of use."""
        del ctx
        return list(self.commands)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The whole page."""
        write_page(page_of(self, ctx), formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own, with close matches here and in other groups for a command that does not exist."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from isoflop.cli.pages import close_commands
            from isoflop.errors import shorten

            matches = close_commands(args[0], ctx.command_path)
            hint = f" Did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""
            listing = f" List all with: {ctx.command_path} --help"
            raise click.UsageError(f"no command '{shorten(args[0])}'.{hint}{listing}", ctx) from error


def key_of(ctx: click.Context) -> str:
    """A command's words without the program's name: "laws fit"."""
    return " ".join(ctx.command_path.split()[1:])


def page_of(command: click.Command, ctx: click.Context) -> Page:
    """The page of a command."""
    from isoflop.cli import pages

    path = ctx.command_path
    key = key_of(ctx)
    about, examples = _text(command.help or "")
    return Page(
        path=path,
        usage=" ".join([path, *command.collect_usage_pieces(ctx)]),
        about=about,
        sections=(*_commands(command, ctx), *_sections(command, ctx)),
        examples=examples,
        exits={**pages.EXITS, **pages.OWN_EXITS.get(key, {})} if not isinstance(command, click.Group) else {},
        see=pages.SEE.get(key, ()),
    )


def _text(text: str) -> tuple[tuple[str, ...], tuple[Example, ...]]:
    """(paragraphs, examples) of a docstring; examples are the blocks that Click leaves as they are."""
    about: list[str] = []
    examples: list[Example] = []
    for part in cleandoc(text).split("\n\n"):
        if not part.startswith("\b"):
            about.append(" ".join(part.split()))
            continue
        for line in re.sub(r"\s*\\\n\s*", " ", part.removeprefix("\b")).strip().split("\n"):
            call, *says = re.split(r"\s{2,}", line.strip(), maxsplit=1)
            examples.append(Example(line=call, says=" ".join(says)))
    return tuple(about), tuple(examples)


def _words(call: str) -> list[str]:
    """The words of a shell line as they are written, quotes and all."""
    words: list[str] = []
    quote, word = "", ""
    for letter in call:
        if letter in "'\"" and quote in {"", letter}:
            quote = "" if quote else letter
        if letter == " " and not quote:
            words += [word] if word else []
            word = ""
        else:
            word += letter
    return [*words, word] if word else words


def _commands(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    from isoflop.cli import pages

    if not isinstance(command, click.Group):
        return
    names = command.list_commands(ctx)
    summaries = getattr(command, "summaries", None)
    if isinstance(summaries, dict):
        for title, members in pages.COMMAND_SECTIONS.items():
            yield title, tuple((name, summaries[name]) for name in members if name in summaries)
        return
    rows = []
    for name in names:
        child = command.get_command(ctx, name)
        if child is not None:
            rows.append((name, child.get_short_help_str(limit=200)))
    yield "Commands", tuple(rows)


def _sections(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """The options by purpose, in the order of `pages.SECTIONS`; what has no heading there comes first."""
    from isoflop.cli import pages

    held: dict[str, list[tuple[int, tuple[str, str]]]] = {title: [] for title in ("Options", *pages.SECTIONS)}
    for param in command.get_params(ctx):
        record = _record(param, ctx)
        if record is not None:
            title, place = pages.section_of(key_of(ctx), param.opts[-1].lstrip("-"))
            held[title].append((place, record))
    for title, rows in held.items():
        if rows:
            yield title, tuple(record for _, record in sorted(rows, key=lambda row: row[0]))


_SHORTER = (("INTEGER RANGE", "N"), ("FLOAT RANGE", "X"), ("INTEGER", "N"), ("FLOAT", "X"))


def _record(param: click.Parameter, ctx: click.Context) -> tuple[str, str] | None:
    """An option as it stands in a list, in fewer words than Click's."""
    found = param.get_help_record(ctx) if isinstance(param, click.Option) else None
    if found is None:
        return None
    names, said = found
    for long, short in _SHORTER:
        names = names.replace(f" {long}", f" {short}")
    return names, said.replace('[default: ""]', "").replace('default: "", ', "").rstrip()


def write_page(page: Page, formatter: click.HelpFormatter) -> None:
    """A page for a terminal."""
    path, _, pieces = page.usage.partition(f"{page.path} ")
    del path
    formatter.write_usage(page.path, pieces)
    with formatter.indentation():
        for text in page.about:
            formatter.write_paragraph()
            formatter.write_text(text)
    write_sections(page, formatter)
    if page.examples:
        with formatter.section("Examples"):
            lines = [line for one in page.examples for line in example_lines(one, formatter.width)]
            formatter.write("".join(f"{line}\n" for line in lines))
    if page.exits:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), said) for code, said in sorted(page.exits.items())])
    if page.see:
        with formatter.section("See also"):
            formatter.write_text(", ".join(f"isoflop {name}" for name in page.see))


def write_sections(page: Page, formatter: click.HelpFormatter) -> None:
    """The commands and options of a page under their headings."""
    for title, rows in page.sections:
        with formatter.section(title):
            formatter.write_dl(rows, col_max=30)


def example_lines(one: Example, width: int = WIDTH) -> list[str]:
    """An example as lines for a terminal: its remark as a comment, its call broken where it is too long."""
    said = [f"  # {one.says}"] if one.says else []
    return [*said, *broken(one.line, "  ", min(width, WIDTH))]


def broken(call: str, indent: str = "  ", width: int = WIDTH) -> list[str]:
    """A call as lines no wider than `width` where its words allow, each but the last with a backslash behind it."""
    lines: list[str] = []
    line = indent
    for word in _pairs(_words(call)):
        longer = f"{line} {word}" if line.strip() else f"{line}{word}"
        if len(longer) > width - 2 and line.strip():
            lines.append(f"{line} \\")
            longer = f"{indent}    {word}"
        line = longer
    return [*lines, line]


def _pairs(words: Iterable[str]) -> Iterator[str]:
    """Words, an option together with its value."""
    held = ""
    for word in words:
        if held and not word.startswith("-"):
            yield f"{held} {word}"
            held = ""
            continue
        if held:
            yield held
        held = word if word.startswith("--") else ""
        if not held:
            yield word
    if held:
        yield held
