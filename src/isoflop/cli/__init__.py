"""The command line: one file a command, loaded when it is called; thin over the library, with the same words."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from isoflop import __version__
from isoflop.cli.manual import Group
from isoflop.errors import IsoflopError, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

COMMANDS = {
    "plan": "From a budget, deadline, model or loss to the whole training run.",
    "solve": "Any unknown quantity from any knowns.",
    "training": "Does a training run fit: memory by the tensor, layouts, what would help.",
    "cost": "A training run whole: money, failures, energy, emissions, data, checkpoints.",
    "serving": "A model served: what fits, how fast, for how much, on which chips.",
    "compare": "Models, devices, laws, layouts or saved plans side by side.",
    "audit": "A document of claims recomputed: which step is wrong, by what factor, why.",
    "check": "Whether claims can all be true, and which is suspect.",
    "calibrate": "Device profiles moved by a few measured runs of your own.",
    "measure": "A device profile from this machine: products, bandwidth, attention, real steps.",
    "validate": "Predictions held against measured rows: errors, intervals, false fits.",
    "lab": "Real training runs, small and many, that a law of your own is fitted to.",
    "laws": "Fit scaling laws to runs, doubt them, predict; the published ones.",
    "model": "Parameters, FLOP, state and bytes of any transformer, from its config.",
    "quantize": "A checkpoint in fewer bits, with a report of what was lost.",
    "dtype": "Number formats: range, step, and what a value becomes in each.",
    "devices": "Chips: peak rates, memory, links, power, with sources.",
    "nodes": "Machines: chips, links, network, storage, power.",
    "prices": "What a chip-hour costs, by provider, commitment and date.",
    "grids": "What a kilowatt-hour emits, by country, year and source.",
    "runs": "Published training runs as printed, and what the arithmetic makes of them.",
    "data": "How many tokens a text is, by tokenizer and language.",
    "quantities": "The glossary: every quantity, its symbol, unit and meaning.",
    "formulas": "The book: every relation, what it neglects, its source.",
    "web": "A page for all of this, and its API, on this machine.",
    "config": "The settings in force, and where each comes from.",
    "schema": "The JSON Schema of everything that --json prints.",
    "completion": "What bash, zsh and fish read to complete all of this.",
    "man": "The man pages of all of this.",
}
"""Every command and its line in --help; the command itself lives in the file of its name."""

LONGEST = 300
"""Characters of a message about options and commands: those who typed more have it before them."""


class LazyGroup(Group):
    """A group that imports a command only when it is called, so that --help and --version load nothing."""

    summaries = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"isoflop.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, without importing any."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=said) for name, said in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}


@click.group(cls=LazyGroup, context_settings=SETTINGS)
@click.version_option(__version__, "-V", "--version", prog_name="isoflop")
def isoflop() -> None:
    """Plan, predict and prove LLM compute: from a budget to a model and back.

    \b
    isoflop plan --budget '$4k' --on tpu-v4 --commitment 3y
    isoflop solve mfu chips='25000 A100' train_time='90-100 days' train_flops=2.15e25

    Values are read as people write them: 7B, 1.4T tokens, $4k, 64xH100-SXM, 90-100 days, 0.3 to 0.5, 40% ± 5%.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0 answered, 2 bad input, 3 not determined, 4 infeasible."""
    # Start-up: NumPy's BLAS would start a thread a core, and no command multiplies matrices; loading makes many objects
    # and no garbage, so collections may wait.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 20, 20)
    words = list(sys.argv[1:] if args is None else args)
    if "_ISOFLOP_COMPLETE" in os.environ:  # a shell asks
        import_module("isoflop.cli.shells").register()
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        code = isoflop.main(words, prog_name="isoflop", standalone_mode=False, obj=tuple(words))
    except SystemExit as left:  # an answer that is a no; or Click's own leave where the reader of a pipe has gone
        code = 0 if type(sys.stdout).__name__.endswith("PacifyFlushWrapper") else left.code
    except click.exceptions.Abort:
        code = 130
    except click.exceptions.NoArgsIsHelpError as error:  # a group alone: what there is; isoflop alone is a question
        code = 0 if not words else 2
        click.echo(error.format_message(), err=code != 0)
    except click.ClickException as error:
        said = error.format_message()
        if len(said) > LONGEST:
            error = click.UsageError(shorten(said, most=LONGEST), getattr(error, "ctx", None))
        error.show()
        code = error.exit_code
    except IsoflopError as error:
        if debug:
            raise
        click.echo(f"{type(error).__name__}: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; there is nobody to tell
        code = 0
    except OSError as error:  # a full disk, say
        if debug:
            raise
        click.echo(f"cannot read or write: {error.strerror or error}", err=True)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
