"""What `isoflop lab run` says while it runs: forecasts, a line for each run, one that lives where there is a screen."""

from __future__ import annotations

import sys
from shutil import get_terminal_size
from threading import Event, Thread
from time import localtime, strftime, time
from typing import TYPE_CHECKING, Self

import click

from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.lab import Forecast, Progress, StudyFolder
    from isoflop.lab.forecast import Span
    from isoflop.lab.pool import Outcome

EVERY = 2.0
"""Seconds between two looks at what the runs have written."""


class Telling:
    """Lines on stderr; use as a context, which ends the one that lives."""

    def __init__(self, held: StudyFolder, processes: int) -> None:
        self.held, self.processes = held, processes
        self._over = Event()
        self._live = Thread(target=self._look, daemon=True) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._live is not None:
            self._live.join()

    def __call__(self, said: Outcome | Forecast) -> None:
        """A forecast before a round, an outcome as a run ends."""
        from isoflop.lab import Forecast

        if isinstance(said, Forecast):
            for line in forecast_words(said, self.processes):
                self._say(line)
            return
        self._say(self._ended(said))

    def _ended(self, outcome: Outcome) -> str:
        from isoflop.lab import RunFolder, progress

        if outcome.status in {"failed", "lost"}:
            return f"  {outcome.run}  {outcome.status}: {outcome.message}"
        folder = RunFolder(self.held.runs / outcome.run)
        result = folder.result
        if result is None:
            return f"  {outcome.run}  {outcome.status}"
        loss = "diverged" if result.status == "diverged" else f"loss {result.loss:.4f}"
        own = result.tokens * (1 - result.branched_at / max(result.steps, 1))
        return (
            f"  {outcome.run}  {result.flops:.2g} FLOP  {folder.spec.params:,} params  seed {folder.spec.seed}  {loss}"
            f"  {own / max(result.seconds, 1e-9):,.0f} tokens/s  {result.rate / 1e9:.1f} GFLOP/s |"
            f" {progress_words(progress(self.held))}"
        )

    def _say(self, line: str) -> None:
        clear = "\r\033[K" if self._live is not None else ""
        click.echo(clear + line, err=True)

    def _look(self) -> None:
        from isoflop.lab import progress

        while not self._over.wait(EVERY):
            try:
                found = progress(self.held)
            except (IsoflopError, OSError):
                continue  # a file that is being replaced; there is another look soon
            going = "  ".join(f"{one.params:,}: {one.done / one.steps:.0%}" for one in found.going[:4])
            line = f"  {progress_words(found)}  {going}"[: get_terminal_size().columns - 1]
            click.echo(f"\r\033[K{line}", err=True, nl=False)
        click.echo("\r\033[K", err=True, nl=False)


def progress_words(found: Progress) -> str:
    """Runs, speed of those that are being trained, what is left, dollars."""
    said = [f"{found.done} of {found.runs} runs"]
    if found.going:
        said.append(f"{found.tokens_per_second:,.0f} tokens/s, {found.flops_per_second / 1e9:.1f} GFLOP/s")
    if found.left is not None and found.done < found.runs:
        said.append(f"{span_of_time(found.left)} left, until {strftime('%H:%M', localtime(time() + found.left))}")
    if found.cost or found.cost_left:
        said.append(f"${found.cost:.3f} of about ${found.cost + found.cost_left:.3f}")
    return "; ".join(said)


def span_of_time(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def forecast_words(found: Forecast, processes: int) -> list[str]:
    """What a study will take, on what that rests, and what the machine was doing."""
    money = f", ${found.cost:.3f}" if found.cost else ""
    steps = f"{span_words(found.busy, 1, 's')} of steps"
    room = f"{span_words(found.memory, 1e6, 'MB')} a process, {found.disk / 1e6:,.0f} MB on disk"
    lines = [f"predicted: {span_words(found.wall, 1, 's')} with {processes} processes ({steps}), {room}{money}"]
    if found.alone is not None and found.own:
        alone = span_words(found.alone, 1, "s")
        lines.append(f"  the training room alone, from machine.toml: {alone} of processor time for the steps")
    if found.slowed > 1.1:
        lines.append(
            f"  mind: others keep the machine busy ({found.load:.1f} wanted a processor; a process is to get"
            f" {1 / found.slowed:.0%} of one): the interval allows for others taking half or twice as much"
        )
    return lines


def span_words(span: Span, scale: float, unit: str) -> str:
    """A value with its interval."""
    return f"{span.value / scale:,.0f} {unit} ({span.low / scale:,.0f} to {span.high / scale:,.0f})"
