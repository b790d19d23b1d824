"""`isoflop lab new|run|status|export`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Group
from isoflop.errors import MissingData

if TYPE_CHECKING:
    from types import ModuleType

    from isoflop.lab.bracket import Bracket
    from isoflop.lab.forecast import Forecast, Span
    from isoflop.lab.operate import StudyFolder
    from isoflop.lab.pool import Outcome


@click.group("lab", cls=Group)
def command() -> None:
    """Studies of real training runs, small and many, that a law of your own can be fitted to.

    \b
    isoflop lab new my-study study.toml      read the text, plan the runs, say what they will take
    isoflop lab run my-study                 train; Ctrl-C or a crash, and the same again goes on
    isoflop lab status my-study              what is done, which best sizes are enclosed, the law
    isoflop lab export my-study runs.csv     for: isoflop laws fit runs.csv

    Needs torch (pip install 'isoflop[lab]'). Nothing is written outside the study's folder.
    """


@command.command("new")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--processes", type=click.IntRange(1, 4096), default=2, show_default=True, help="Runs at once.")
@click.option("--probe/--no-probe", default=True, help="Time a few real steps, to say how long it will take.")
def new(folder: Path, study: Path, processes: int, probe: bool) -> None:
    """Make FOLDER from a STUDY.toml: build the corpus, plan the first runs, predict what they take."""
    room = _room()
    held = room.make_study(folder, study)
    corpus = held.corpus
    click.echo(
        f"{corpus.documents:,} documents, {corpus.tokens:,} tokens ({corpus.bytes_per_token:.2f} bytes each),"
        f" {len(corpus.held_out_blocks)} of {corpus.blocks} blocks held out"
    )
    specs = held.todo()
    _print_plan(held)
    if probe:
        _print_forecast(room.forecast(folder, specs, processes=processes, price=held.study.price), processes)
    click.echo(f"Next: isoflop lab run {folder}")


@command.command("run")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--processes", type=click.IntRange(1, 4096), default=2, show_default=True, help="Runs at once.")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads of each.")
@click.option("--probe/--no-probe", default=True, help="Predict each round before it, to be held against what came.")
@click.option("--ray", metavar="ADDRESS", help="Ray instead of processes: a cluster, auto, or local for one here.")
def run(folder: Path, processes: int, threads: int, probe: bool, ray: str | None) -> None:
    """Train what the study asks for, round by round, or go on where it was stopped."""
    room = _room()
    held = room.StudyFolder(folder)
    show = _Progress(held)
    try:
        address = "" if ray == "local" else ray
        asked, failed = room.run_study(held, show, processes=processes, threads=threads, probe=probe, ray=address)
    except KeyboardInterrupt:
        click.echo(f"\nstopped; isoflop lab run {folder} goes on from the last checkpoints", err=True)
        raise
    _print_brackets(asked.brackets)
    _print_law(held)
    if failed:
        said = "; ".join(f"{one.run}: {one.message or one.status}" for one in failed[:3])
        raise MissingData(f"{len(failed)} runs could not be done ({said}). isoflop lab run {folder} tries them again.")


@command.command("status")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def status(folder: Path, as_json: bool) -> None:
    """What is done and what is not, which best sizes are enclosed, the law or why there is none."""
    room = _room()
    held = room.StudyFolder(folder)
    if as_json:
        from isoflop.report import dumps

        click.echo(dumps(room.status_object(held)))
        return
    _print_plan(held)
    _print_runs(held)
    _print_history(held)
    _print_brackets(held.wanted().brackets)
    _print_law(held)


@command.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("to", type=click.Path(path_type=Path))
@click.option(
    "--model", "run_", metavar="RUN", help="Copy this run's model (config.json, safetensors) to a new folder."
)
def export(folder: Path, to: Path, run_: str | None) -> None:
    """Write TO: runs.csv (a row a run), curves.parquet (a row a step), page.html, or a model with --model."""
    room = _room()
    held = room.StudyFolder(folder)
    if run_ is not None:
        room.write_model(held, run_, to)
        click.echo(f"{to}: read it with isoflop model {to}", err=True)
        return
    if to.suffix == ".html":
        from isoflop.cli.lab_page import study_page

        to.write_text(study_page(held), encoding="utf-8")
        click.echo(f"{to}: a page that needs nothing beside itself", err=True)
        return
    rows = room.write_export(held, to)
    after = f"; next: isoflop laws fit {to}" if to.suffix == ".csv" else ""
    click.echo(f"{to}: {rows:,} rows{after}", err=True)


@command.command("query")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(("text", "json", "csv", "md", "html")), default="text")
@click.option("--json", "form", flag_value="json", help="One JSON object on stdout.")
def query(folder: Path, sql: str, form: str) -> None:
    """Ask DuckDB: tables runs (a row a finished run) and steps (run, step, tokens, flops, loss).

    isoflop lab query my-study "select params, avg(val_loss) from runs group by 1 order by 1"
    """
    from isoflop.cli.knowns import print_table
    from isoflop.report import Column

    room = _room()
    names, rows = room.query(room.StudyFolder(folder), sql)
    right = [all(not isinstance(row[place], str) for row in rows) for place in range(len(names))]
    columns = [Column(name=name, right=side) for name, side in zip(names, right, strict=True)]
    print_table(columns, rows, form)


def _room() -> ModuleType:
    if find_spec("torch") is None:
        raise MissingData("the laboratory needs torch: pip install 'isoflop[lab]'")
    from isoflop import lab

    return lab


class _Progress:
    """A line on stderr as each run ends: how many, how fast, how long still."""

    def __init__(self, held: StudyFolder) -> None:
        from time import perf_counter

        self.held, self.began, self.clock = held, perf_counter(), perf_counter
        self.done, self.flops = 0, 0.0

    def __call__(self, outcome: Outcome) -> None:
        from isoflop.lab.store import RunFolder

        if outcome.status in {"failed", "lost"}:
            click.echo(f"  {outcome.run}  {outcome.status}: {outcome.message}", err=True)
            return
        folder = RunFolder(self.held.runs / outcome.run)
        result = folder.result
        if result is None:
            return
        self.done += 1
        self.flops += result.flops
        todo = self.held.todo()
        left = sum(one.flops for one in todo)
        passed = self.clock() - self.began
        loss = "diverged" if result.status == "diverged" else f"loss {result.loss:.4f}"
        money = f", ${passed / 3600 * self.held.study.price:.3f}" if self.held.study.price else ""
        click.echo(
            f"  {outcome.run}  {result.flops:.2g} FLOP  {folder.spec.params:,} params  seed {folder.spec.seed}  {loss}"
            f"  {result.tokens / max(result.seconds, 1e-9):,.0f} tokens/s  {result.rate / 1e9:.1f} GFLOP/s |"
            f" {self.done} done, {len(todo)} to do, about {left / max(self.flops / passed, 1):,.0f} s{money}",
            err=True,
        )


def _print_plan(held: StudyFolder) -> None:
    asked = held.wanted()
    done = held.results()
    finished = sum(one.hash in done for one in asked.specs)
    click.echo(f"{held.study.name}: {len(asked.specs)} runs, {asked.flops:.3g} FLOP; {finished} done")


def _print_forecast(found: Forecast, processes: int) -> None:
    money = f", ${found.cost:.3f}" if found.cost else ""
    click.echo(
        f"predicted: {_span(found.wall, 1, 's')} with {processes} processes ({_span(found.busy, 1, 's')} of steps),"
        f" {_span(found.memory, 1e6, 'MB')} a process, {found.disk / 1e6:,.0f} MB on disk{money}"
    )
    if found.load > processes:
        click.echo(f"mind: the machine is busy (load {found.load:.1f}); times may be far off", err=True)


def _span(span: Span, scale: float, unit: str) -> str:
    return f"{span.value / scale:,.0f} {unit} ({span.low / scale:,.0f} to {span.high / scale:,.0f})"


def _print_runs(held: StudyFolder) -> None:
    from isoflop.cli.knowns import print_table
    from isoflop.report import Column

    rows: list[tuple[str, ...]] = []
    for one in held.folders():
        result = one.result
        state = result.status if result else f"{one.steps_done()} of {one.spec.steps} steps"
        loss = f"{result.loss:.4f}" if result and result.loss is not None else ""
        rate = f"{result.rate / 1e9:.1f}" if result else ""
        epochs = f"{result.epochs:.2f}" if result else ""
        rows.append(
            (
                one.spec.hash,
                f"{one.spec.flops:.3g}",
                f"{one.spec.params:,}",
                str(one.spec.seed),
                state,
                loss,
                epochs,
                rate,
            )
        )
    rows.sort(key=lambda row: (float(row[1]), float(row[2].replace(",", "")), row[3]))
    names = ("run", "FLOP", "params", "seed", "state", "loss", "epochs", "GFLOP/s")
    print_table([Column(name=name, right=name not in {"run", "state"}) for name in names], rows, "text")


def _print_history(held: StudyFolder) -> None:
    """Predicted against measured, a line a round and quantity."""
    from isoflop.cli.lab_page import history_rows

    for number, runs, name, predicted, measured in history_rows(held):
        click.echo(f"round {number}, {runs} runs: {name} predicted {predicted}, measured {measured}")


def _print_brackets(brackets: tuple[Bracket, ...]) -> None:
    for one in brackets:
        sizes = "  ".join(f"{size:,}: {loss:.4f}" for size, loss in zip(one.params, one.losses, strict=True))
        verdict = "enclosed" if one.enclosed else f"NOT enclosed: {one.why}"
        click.echo(f"{one.budget:.3g} FLOP, noise {one.noise:.3f}: {sizes}\n  {verdict}")


def _print_law(held: StudyFolder) -> None:
    from isoflop.cli.lab_page import law_words

    click.echo(law_words(held))
