"""The commands that pages show, run: each console block holds what its commands print now.

    ```console
    $ isoflop dtype 0.1 --format bf16
    what it printed
    ```

Commands of a page run one after the other in one empty folder, away from anybody's settings and 80 columns wide; the
examples/ of the repository stand in it. A block with a title is a file of that folder, for the commands below it:

    ```toml title="mine.toml"
    ...
    ```

What cannot run here (it trains, it needs an accelerator, or somebody's files) says why, and its options are still held
against the command line:

    <!-- not run: needs torch -->
    ```console
    $ isoflop lab run my-study
    ```
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shlex
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import click

from isoflop.cli import isoflop as cli
from isoflop.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build" / "console"
"""One empty file a page that was found right, named by a digest of it and of all that decides its outputs."""

BLOCK = re.compile(
    r'(?P<unrun>^<!-- not run: (?P<why>[^\n]+) -->\n+)?^(?P<indent> *)```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
"""A fenced block: of commands, of a file, or of anything else."""

PROMPT = "$ isoflop "


class Block(NamedTuple):
    """A fenced block of a page: what it holds, and why it is not run where it is not."""

    kind: str
    title: str
    text: str
    why: str

    @property
    def commands(self) -> list[str]:
        """The command lines in it."""
        return [line[2:] for line in self.text.splitlines() if line.startswith(PROMPT)]


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    return [
        Block(kind=found["kind"], title=found["title"] or "", text=found["text"], why=found["why"] or "")
        for found in BLOCK.finditer(page)
    ]


def refreshed(page: str) -> str:
    """The page with every console block as its commands print it now."""

    def again(found: re.Match[str]) -> str:
        if found["title"]:
            Path(found["title"]).parent.mkdir(exist_ok=True)
            Path(found["title"]).write_text(found["text"], encoding="utf-8")
        if found["kind"] != "console" or found["why"]:
            return found[0]
        commands = [line for line in found["text"].splitlines() if line.startswith(PROMPT)]
        said = "\n".join(f"{line}\n{printed(line[2:])}" for line in commands)
        return f"```console\n{said}```"

    if "```console" not in page:
        return page
    kept = KEPT / hashlib.sha256(state() + page.encode()).hexdigest()
    if kept.exists():
        return page
    with empty_folder():
        now = BLOCK.sub(again, page)
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / hashlib.sha256(state() + now.encode()).hexdigest()).touch()
    return now


@cache
def state() -> bytes:
    """A digest of all that decides what commands print: the code with its data, the examples, the versions pinned."""
    digest = hashlib.sha256((ROOT / "constraints.txt").read_bytes())
    for folder in ("src", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.digest()


@contextlib.contextmanager
def empty_folder() -> Iterator[Path]:
    """Work in a new folder with nothing but the examples, without settings, 80 columns wide."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ISOFLOP_")}
    was = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        ours = {**kept, "COLUMNS": "80", "NO_COLOR": "1", "XDG_CONFIG_HOME": name, "HF_HUB_OFFLINE": "1"}
        Path(name, "examples").symlink_to(ROOT / "examples")
        os.chdir(name)
        try:
            with mock.patch.dict(os.environ, ours, clear=True):
                yield Path(name)
        finally:
            os.chdir(was)


def printed(command: str) -> str:
    """Standard output and then standard error of a command, as one text that ends in a line break."""
    streams = [io.BytesIO(), io.BytesIO()]
    out, err = (io.TextIOWrapper(stream, encoding="utf-8", write_through=True) for stream in streams)
    command, *pipes = re.split(r" \| (?=head |tail |grep )", command)
    words = shlex.split(command, comments=True)[1:]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as a person's Python does with those that are not for them
        with contextlib.suppress(SystemExit):
            main(words)
    said = [stream.getvalue().decode("utf-8") for stream in streams]
    for pipe in pipes:
        said[0] = piped(said[0], pipe)
    return "".join(f"{part.rstrip()}\n" for part in said if part.strip())


def piped(text: str, pipe: str) -> str:
    """What `head -N`, `tail -N` or `grep [-A N] TEXT` leave of a text: pages show the lines that they speak of."""
    tool, *words = shlex.split(pipe)
    lines = text.splitlines()
    if tool in {"head", "tail"}:
        (count,) = words
        kept = lines[: int(count[1:])] if tool == "head" else lines[-int(count[1:]) :]
    else:
        after = int(words[1]) if words[0] == "-A" else 0
        hits = [at for at, line in enumerate(lines) if words[-1] in line]
        shown = sorted({at for hit in hits for at in range(hit, min(hit + after + 1, len(lines)))})
        kept = [lines[at] for at in shown]
    return "".join(f"{line}\n" for line in kept)


def options_known(command: str) -> str:
    """What the command line says against a command that is not run; empty where it takes the options."""
    words = [word for word in shlex.split(command, comments=True)[1:] if word != "--debug"]
    context: click.Context | None = None
    found: click.Command = cli
    name = "isoflop"
    while isinstance(found, click.Group):
        context = click.Context(found, parent=context, info_name=name)
        try:
            said, child, words = found.resolve_command(context, words)
        except click.UsageError as error:
            return error.format_message()
        assert child is not None
        found, name = child, said or ""
    for word in words:
        flag = word.partition("=")[0]
        if re.match(r"--?[a-zA-Z]", word) and not any(
            flag in (*option.opts, *option.secondary_opts) for option in found.get_params(click.Context(found))
        ):
            return f"{command}: there is no option {flag}"
    return ""
