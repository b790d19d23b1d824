"""`isoflop lab new|run|status|export|query`."""

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
    from isoflop.lab.operate import StudyFolder


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
@click.option(
    "--device", metavar="FILE", type=click.Path(path_type=Path), help="A profile of this machine: isoflop measure."
)
def new(folder: Path, study: Path, processes: int, probe: bool, device: Path | None) -> None:
    """Make FOLDER from a STUDY.toml: build the corpus, plan the first runs, predict what they take.

    \b
    isoflop lab new my-study examples/studies/demo.toml
    """
    from isoflop.cli.lab_progress import forecast_words

    room = _room()
    held = room.make_study(folder, study, machine=device)
    corpus = held.corpus
    click.echo(
        f"{corpus.documents:,} documents, {corpus.tokens:,} tokens ({corpus.bytes_per_token:.2f} bytes each),"
        f" {len(corpus.held_out_blocks)} of {corpus.blocks} blocks held out"
    )
    _print_plan(held)
    if probe or device is not None:
        todo, means = held.todo(), room.Means(processes=processes, price=held.study.price, probe=probe)
        try:
            found = room.forecast(folder, todo, means, held.tasks(todo))
        except KeyboardInterrupt:
            click.echo(f"\nstopped; the study is made: isoflop lab run {folder}", err=True)
            raise
        for line in forecast_words(found, processes):
            click.echo(line)
    click.echo(f"Next: isoflop lab run {folder}")


@command.command("extend")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("cells", type=click.Path(path_type=Path))
def extend(folder: Path, cells: Path) -> None:
    """Add CELLS.toml, runs that `isoflop laws design` proposes, to the study in FOLDER; an export then holds all.

    \b
    isoflop lab export my-study runs.csv
    isoflop laws design runs.csv --target N=200k,D=30M --allowance 5e11 --format toml --out cells.toml
    isoflop lab extend my-study cells.toml
    """
    held, asked = _room().extend_study(_room().StudyFolder(folder), cells)
    _print_plan(held)
    for one in asked.skipped:
        click.echo(f"left out: {one}")
    click.echo(f"Next: isoflop lab run {folder}")


@command.command("formats")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("run_", metavar="RUN")
@click.option("--bits", type=click.IntRange(2, 8), multiple=True, default=(8, 4, 3), show_default=True, help="Widths.")
def formats(folder: Path, run_: str, bits: tuple[int, ...]) -> None:
    """Loss, bytes and speed of RUN's model by the format of its weights: fp32, fp16, bf16, rounded, trained rounded.

    RUN is the beginning of its hash, as isoflop lab status lists it. Nothing is changed in the study.

    \b
    isoflop lab formats my-study c6dca14f
    """
    from isoflop.lab.formats import compare_formats, print_lines
    from isoflop.lab.hugging_face import import_model

    held = _room().StudyFolder(folder)
    one = _room().run_of(held, run_)
    for line in print_lines(compare_formats(one.spec, held.corpus, bits=bits, model=import_model(one.path / "model"))):
        click.echo(line)


@command.command("run")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--processes", type=click.IntRange(1, 4096), default=2, show_default=True, help="Runs at once.")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads of each.")
@click.option("--probe/--no-probe", default=True, help="Predict each round before it, to be held against what came.")
@click.option("--ray", metavar="ADDRESS", help="Ray instead of processes: a cluster, auto, or local for one here.")
def run(folder: Path, processes: int, threads: int, probe: bool, ray: str | None) -> None:
    """Train what the study asks for, round by round, or go on where it was stopped.

    \b
    isoflop lab run my-study --processes 2
    """
    from isoflop.cli.lab_progress import Telling

    room = _room()
    held = room.StudyFolder(folder)
    address = "" if ray == "local" else ray
    try:
        with Telling(held, processes) as tell:
            asked, failed = room.run_study(held, tell, processes=processes, threads=threads, probe=probe, ray=address)
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
    """What is done and what is not, which best sizes are enclosed, the law or why there is none.

    \b
    isoflop lab status my-study
    """
    room = _room()
    held = room.StudyFolder(folder)
    if as_json:
        from isoflop.report import dumps

        click.echo(dumps(room.status_object(held)))
        return
    _print_plan(held)
    _print_runs(held)
    _print_progress(held)
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
    """Write TO: runs.csv (a row a run), curves.parquet (a row a step), page.html, or a model with --model.

    \b
    isoflop lab export my-study runs.csv
    isoflop lab export my-study page.html
    """
    room = _room()
    held = room.StudyFolder(folder)
    held.compact_if_free()
    if run_ is not None:
        room.write_model(held, run_, to)
        click.echo(f"{to}: read it with isoflop model {to}", err=True)
        return
    if str(to) == "-":
        click.echo(room.runs_csv(held), nl=False)
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

    \b
    isoflop lab query my-study "select * from runs limit 5"
    """
    from isoflop.cli.output import print_table
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


def _print_plan(held: StudyFolder) -> None:
    asked = held.wanted()
    done = held.results()
    finished = sum(one.hash in done for one in asked.specs)
    click.echo(f"{held.study.name}: {len(asked.specs)} runs, {asked.flops:.3g} FLOP; {finished} done")


def _print_progress(held: StudyFolder) -> None:
    """What is being trained at this moment."""
    from isoflop.cli.lab_progress import progress_words
    from isoflop.lab import progress

    found = progress(held)
    if found.going:
        click.echo(f"now: {progress_words(found)}")


def _print_runs(held: StudyFolder) -> None:
    from isoflop.cli.output import print_table
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

    for number, runs, name, predicted, measured, off, within, load in history_rows(held):
        said = f"{name} predicted {predicted}, measured {measured} ({off}): {within}"
        click.echo(f"round {number}, {runs} runs: {said}; load {load}")


def _print_brackets(brackets: tuple[Bracket, ...]) -> None:
    for one in brackets:
        sizes = "  ".join(f"{size:,}: {loss:.4f}" for size, loss in zip(one.params, one.losses, strict=True))
        verdict = "enclosed" if one.enclosed else f"NOT enclosed: {one.why}"
        click.echo(f"{one.budget:.3g} FLOP, noise {one.noise:.3f}: {sizes}\n  {verdict}")


def _print_law(held: StudyFolder) -> None:
    from isoflop.cli.lab_page import law_words

    click.echo(law_words(held))
