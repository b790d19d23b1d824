"""What each option takes: the word that stands for it in --help, and what a shell can complete it with.

An option of the same name takes the same thing in every command, so the table is by name.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

TAKES = {
    "absmax": "number", "acceptance": "share", "allowance": "flop", "api": "prices", "as-of": "date", "batch": "tokens",
    "budget": "money", "checkpoint-rate": "rate", "chip-capital": "money", "chip-mtbf": "time", "claim": "sentence",
    "cloud": "name", "commitment": "commitment", "concurrency": "count", "context": "tokens", "date": "date",
    "deadline": "time", "demand": "tokens", "development": "share", "device": "device", "dtype": "dtype",
    "electricity-price": "price", "engine": "engine", "epochs": "number", "evaluation": "share", "fit": "form",
    "flops": "flop", "folder": "folder", "format-of": "format", "goodput": "share", "grid": "grid", "hardware": "name",
    "host": "address", "host-bandwidth": "rate", "input": "tokens", "kind": "kind", "kv": "format",
    "language": "language", "law": "law", "layout": "degrees", "lifetime": "time", "loss": "number", "map": "columns",
    "matmul": "format", "memory": "size", "memory-fraction": "share", "mfu": "share", "model": "model", "name": "name",
    "on": "devices", "org": "name", "out": "folder", "output": "tokens", "params": "count", "power-ratio": "number",
    "prefix-share": "share", "price": "price", "provider": "provider", "pue": "number", "rate": "rate",
    "recipe": "recipe", "recompute": "what", "region": "region", "restart-time": "time", "run": "name",
    "runtime": "runtime", "runtime-version": "version", "section": "section", "sequence": "tokens",
    "serve-on": "devices", "serve-tokens": "tokens", "source": "name", "storage-price": "price", "tdp": "power",
    "text": "size", "to": "scheme", "token": "word", "tokenizer": "tokenizer", "tokens": "tokens", "total": "length",
    "tpot": "time", "train-cost": "money", "ttft": "time", "unique-tokens": "tokens", "use": "share",
    "utilisation": "share", "vendor": "vendor", "warmup": "length", "weights": "format", "within": "share",
    "wue": "number", "year": "years",
}  # fmt: skip
"""What the plain text of an option is, by the option's name."""

ARGUMENTS = {
    "model": "model", "target": "quantity", "knowns": "known", "claims": "known", "law": "law",
    "laws": "law", "device": "device",
}  # fmt: skip
"""The same for arguments."""

OF_COMMAND = {
    ("devices", "names"): "device",
    ("nodes", "names"): "node",
    ("grids", "names"): "grid",
    ("model", "names"): "model",
    ("runs", "names"): "run",
    ("quantities", "name"): "quantity",
    ("formulas", "name"): "formula",
    ("laws published", "name"): "law",
    ("laws check", "law"): "form",
    ("laws fit", "law"): "form",
    ("laws plot", "law"): "form",
    ("laws design", "law"): "form",
    ("lab export", "model"): "run",
    ("measure", "on"): "torch device",
    ("compare", "things"): "thing",
    ("laws compare", "laws"): "law",
}
"""Where a name means something else in one command."""


class Word(click.types.StringParamType):
    """Text of a kind: the kind stands in --help, and its names complete in a shell."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = kind.upper().replace(" ", "_")

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names of this kind that begin like `incomplete`, or files where it is a path."""
        from isoflop.cli.complete import items

        del param
        return items(self.kind, incomplete, ctx)


STREAMED = frozenset({
    ("audit", "file"), ("check", "table"), ("calibrate serving", "rows"), ("calibrate training", "rows"),
    ("laws backtest", "runs"), ("laws check", "runs"), ("laws design", "runs"), ("laws fit", "runs"),
    ("laws plot", "runs"), ("laws running", "curve"), ("validate hours", "rows"), ("validate serving", "rows"),
    ("validate serving-memory", "rows"), ("validate training", "rows"),
})  # fmt: skip
"""Files that may also come on standard input, written as -."""

MOST_STREAMED = 64_000_000
"""Bytes that are read of standard input."""


class InFile(click.Path):
    """A file, or - for standard input, which is set aside in a file of its own until the command is done."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The path of what is to be read."""
        if value != "-" or ctx is None:
            return super().convert(value, param, ctx)
        import tempfile

        data = sys.stdin.buffer.read(MOST_STREAMED + 1)
        if not data.strip():
            self.fail("standard input is empty", param, ctx)
        if len(data) > MOST_STREAMED:
            self.fail(f"standard input holds more than {MOST_STREAMED:,} bytes, the most that is read", param, ctx)
        folder = ctx.with_resource(tempfile.TemporaryDirectory(prefix="isoflop-"))
        path = Path(folder) / f"stdin{_ending(data)}"
        path.write_bytes(data)
        return str(path)


def _ending(data: bytes) -> str:
    """What kind of file the text is: a napkin has keys or tables, a log of JSON braces, a table commas in its head."""
    text = data[:2000].decode("utf-8", "replace").lstrip()
    first = text.partition("\n")[0]
    if text.startswith("{"):
        return ".jsonl" if first.rstrip().endswith("}") else ".json"
    if re.match(r"\[+[\w .\"-]+\]+\s*$|[\w-]+ *= *[\"'\d\[{]", first) or re.search(
        r"^\[+[\w.-]+\]+\s*$", text, re.MULTILINE
    ):
        return ".toml"
    if "," in first and not first.rstrip().endswith("."):
        return ".csv"
    return ".tsv" if "\t" in first else ".md"


def kind_of(command: str, param: click.Parameter) -> str | None:
    """What a parameter takes, or None where its type says it."""
    name = param.name or ""
    if isinstance(param, click.Argument):
        return OF_COMMAND.get((command, name), ARGUMENTS.get(name))
    flag = param.opts[0].removeprefix("--")
    return OF_COMMAND.get((command, flag), TAKES.get(flag))


def with_kinds(command: str, params: Sequence[click.Parameter]) -> None:
    """Give every parameter that takes plain text the kind of text it takes."""
    for param in params:
        kind = kind_of(command, param)
        if (command, param.name) in STREAMED and isinstance(param.type, click.Path):
            param.type = InFile(dir_okay=param.type.dir_okay)
        if kind is not None and isinstance(param.type, click.types.StringParamType):
            param.type = Word(kind)
