"""`isoflop completion [SHELL]`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from isoflop.cli.manual import Command
from isoflop.errors import BadFile, BadInput, shorten

SHELLS = ("bash", "zsh", "fish")
PLACES = {
    "bash": ("XDG_DATA_HOME", "~/.local/share", "bash-completion/completions/isoflop"),
    "zsh": ("ZDOTDIR", "~", ".zfunc/_isoflop"),
    "fish": ("XDG_CONFIG_HOME", "~/.config", "fish/completions/isoflop.fish"),
}
"""Where each shell looks by itself: the variable that moves the folder, the folder, the file in it."""

THEN = {
    "bash": "A new bash reads it where the package bash-completion is; else add to ~/.bashrc: source {path}",
    "zsh": "If it is not there yet, add to ~/.zshrc: fpath+=({folder}); autoload -Uz compinit && compinit",
    "fish": "A new fish reads it by itself.",
}


@click.command("completion", cls=Command)
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Write it to where the shell looks, and say where that is.")
def command(shell: str | None, *, install: bool) -> None:
    """Print what bash, zsh or fish reads to complete isoflop's commands, options and names.

    Devices, models, providers, grids, laws, quantities and formats complete too: `isoflop serving llama-3<TAB> --on
    8xh1<TAB>`, `isoflop solve par<TAB> device=tpu-v<TAB>`. Without SHELL it is the one of $SHELL.

    \b
    isoflop completion bash
    isoflop completion fish --install
    source <(isoflop completion bash)
    """
    from isoflop.cli.shells import script

    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise BadInput(
            f"'{shorten(name)}' (of $SHELL) is none of {', '.join(SHELLS)}; name one: isoflop completion bash"
        )
    text = script(name, click.get_current_context().find_root().command)
    if not install:
        click.echo(text.rstrip("\n"))
        return
    variable, usual, file = PLACES[name]
    path = Path(os.environ.get(variable) or usual).expanduser() / file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadFile(
            f"cannot write '{path}': {error.strerror}; print it instead: isoflop completion {name}"
        ) from error
    click.echo(f"{path} written. {THEN[name].format(path=path, folder=path.parent)}", err=True)
