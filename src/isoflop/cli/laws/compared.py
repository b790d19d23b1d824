"""What `isoflop laws compare` does with two laws or studies: their differences with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.output import show
from isoflop.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.cli.output import Output
    from isoflop.laws import Belief


def difference_options(function: click.decorators.FC) -> click.decorators.FC:
    """What a difference may be asked with; any of these asks for it."""
    for option in (
        click.option("--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Level."),
        click.option("--same-tokens", is_flag=True, help="Both losses are of the same data and tokenizer."),
        click.option("--bytes-per-token", metavar="A,B", help="Of each tokenizer: losses compare in bits per byte."),
        click.option("--target", "targets", multiple=True, metavar="N=70B,D=1.4T", help="Where losses are compared."),
        click.option("--difference", is_flag=True, help="Two laws: their differences with intervals."),
    ):
        function = option(function)
    return function


def wants_difference(options: dict[str, object]) -> bool:
    """Whether a difference was asked for."""
    return any(bool(options[name]) for name in ("difference", "targets", "bytes_per_token", "same_tokens"))


def print_difference(laws: Sequence[str], flops: Sequence[float], options: dict[str, object], output: Output) -> None:
    """The differences of two laws, each a fit, a published law, or a table of runs that chinchilla is fitted to."""
    from isoflop.flags.laws import target_of
    from isoflop.laws import Grounds, compare

    if len(laws) != 2:
        raise BadInput(f"a difference is of two laws; {len(laws)} were given")
    targets = options["targets"]
    assert isinstance(targets, tuple)
    grounds = Grounds(
        flops=tuple(flops),
        targets=tuple(target_of(text) for text in targets),
        bytes_per_token=_bytes(options["bytes_per_token"]),
        same_tokens=bool(options["same_tokens"]),
        level=float(options["interval"]),  # type: ignore[arg-type]  # click read a number
    )
    found = compare(_believed(laws[0]), _believed(laws[1]), grounds)
    show(found, output)


def _believed(law: str) -> Belief:
    from dataclasses import replace
    from pathlib import Path

    from isoflop import laws
    from isoflop.cli.laws.allocate import is_table

    if not is_table(law):
        return laws.believed(law)
    return replace(laws.believed(laws.fit(laws.read_runs(law))), name=Path(law).stem)


def _bytes(text: object) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        first, second = (float(word) for word in str(text).split(","))
    except ValueError:
        raise BadInput(f"--bytes-per-token {text}: write two numbers, as 4.2,3.9") from None
    return first, second
