"""What a study gives to others: runs for the laws room, a table like an export of W&B, curves as Parquet, a model."""

from __future__ import annotations

import csv
import io
import shutil
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, MissingData, UnknownName, UntrustworthyFit
from isoflop.lab.files import write_atomically
from isoflop.laws.runs import Runs
from isoflop.model import counts, train_flops_per_token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from isoflop.lab.operate import StudyFolder
    from isoflop.lab.store import Result, RunFolder
    from isoflop.laws.approach2 import Line

Cell = str | int | float | None


def rows(held: StudyFolder) -> list[dict[str, Cell]]:
    """One row a finished run, columns by the names that `isoflop laws` and W&B users know; loss in nats per token."""
    return [_row(one, result) for one in held.folders() if (result := one.result) is not None]


def _row(folder: RunFolder, result: Result) -> dict[str, Cell]:
    spec, model = folder.spec, folder.spec.model
    counted = counts(model)
    started = next((one for one in folder.log.read() if "attempt" in one), {})
    return {
        "Name": spec.hash,
        "State": "finished" if result.status == "done" else "crashed",
        "Runtime": result.seconds,
        "params": counted.params,
        "non_embedding_params": counted.non_embedding_params,
        "tokens": result.tokens,
        "unique_tokens": result.unique_tokens,
        "flops": result.flops,
        "flops_full_attention": train_flops_per_token(model, spec.sequence, convention="full-attention").total
        * result.tokens,
        "val_loss": result.loss if result.status == "done" else None,
        "last_train_loss": result.train_loss,
        "d_model": spec.shape.width,
        "n_layers": spec.shape.layers,
        "lr": spec.optimizer.learning_rate,
        "schedule": spec.schedule.kind,
        "batch_tokens": spec.batch * spec.sequence,
        "sequence_length": spec.sequence,
        "vocab_size": spec.shape.vocabulary,
        "seed": spec.seed,
        "precision": spec.precision,
        "weights_in": f"int{spec.bits}" if spec.bits else "float",
        "status": result.status,
        "flops_per_second": result.rate,
        "peak_memory": result.peak_memory,
        "device": str(started.get("device", "")),
        "load": float(str(started.get("load", "nan"))),
        "code": str(started.get("code", "")),
    }


def runs_of_study(held: StudyFolder) -> Runs:
    """The finished runs as the laws room takes them; those that diverged are flagged there, not dropped.

    Raises: MissingData where there is none yet.
    """
    found = rows(held)
    if not found:
        raise MissingData(f"{held.path} has no finished run yet; isoflop lab run {held.path}")
    numbers = {
        "params": "params", "non_embedding_params": "non_embedding_params", "tokens": "tokens", "flops": "flops",
        "unique_tokens": "unique_tokens", "loss": "val_loss", "width": "d_model", "learning_rate": "lr",
        "batch_tokens": "batch_tokens", "sequence_length": "sequence_length",
    }  # fmt: skip
    columns = {
        name: np.array([np.nan if one[column] is None else float(str(one[column])) for one in found])
        for name, column in numbers.items()
    }
    return Runs.of(counts="total", run=[str(one["Name"]) for one in found], **columns)


def line_of_study(held: StudyFolder, *, method: str = "parabola", resamples: int = 1000) -> Line:
    """How the best size grows with compute, from the budgets whose bottom is enclosed.

    Of several learning rates the runs of each size's best count, as for the verdict; that they were chosen by the same
    runs is not in the interval. Raises: UntrustworthyFit below three such budgets: no exponent comes from fewer, and
    none from noise.
    """
    from isoflop.laws.approach2 import isoflop_line

    asked = held.wanted()
    enclosed = [one for one in asked.brackets if one.enclosed]
    open_ = [one for one in asked.brackets if not one.enclosed]
    if len(enclosed) < 3:
        raise UntrustworthyFit(
            f"{len(enclosed)} of {len(held.study.budgets)} budgets have their best size enclosed beyond the noise of"
            " their seeds; an exponent takes three.",
            missing=tuple(f"at {one.budget:.3g} FLOP: {why}" for one, why in zip(open_, asked.stopped, strict=True))
            or ("runs that are still to be done",),
        )
    runs = runs_of_study(held)
    near = np.array([one.budget for one in enclosed])
    flops = runs.columns["flops"]
    inside = (np.abs(np.log(flops[:, None] / near[None])) < 0.06).any(axis=1)
    inside &= np.isin([str(one["Name"]) for one in rows(held)], sorted(asked.best))
    return isoflop_line(runs.where(inside), method, resamples=resamples)  # type: ignore[arg-type]  # checked there


def write_export(held: StudyFolder, to: Path) -> int:
    """Runs as CSV, or the loss of every step as Parquet, by the name's ending; how many rows were written."""
    if to.suffix == ".parquet":
        return _curves(held, to)
    if to.suffix != ".csv":
        raise BadInput(
            f"{to.name}: give a name that ends in .csv (a row a run), .parquet (a row a step) or .html (a page)"
        )
    text = runs_csv(held)
    write_atomically(to, text.encode())
    return text.count("\n") - 1


def runs_csv(held: StudyFolder) -> str:
    """A row a finished run, as W&B exports them: `isoflop laws fit` reads it as it is.

    Raises: MissingData where there is none yet.
    """
    found = rows(held)
    if not found:
        raise MissingData(f"{held.path} has no finished run yet; isoflop lab run {held.path}")
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def _curves(held: StudyFolder, to: Path) -> int:
    """The steps under the names that an export of W&B has."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingData("Parquet needs pyarrow: pip install 'isoflop[parquet]'.") from error
    table = steps_table(held)
    sink = pa.BufferOutputStream()
    parquet.write_table(
        table.rename_columns(["run", "step", "tokens", "flops", "train_loss"]), sink, compression="zstd"
    )
    write_atomically(to, sink.getvalue().to_pybytes())
    return int(table.num_rows)


def steps_table(held: StudyFolder) -> pa.Table:
    """A row a step that is on record, of runs that are over and of those that are not; a trunk's steps once."""
    import pyarrow as pa

    parts = [_steps(one.spec.hash, one.losses(), one.spec.batch * one.spec.sequence, one.spec.flops / one.spec.steps)
             for one in held.folders()]  # fmt: skip
    empty = _steps("", {}, 1, 1.0)
    return pa.concat_tables([empty, *parts])


def _steps(run: str, losses: dict[int, float | None], tokens: int, flops: float) -> pa.Table:
    import pyarrow as pa

    steps: Sequence[int] = sorted(losses)
    return pa.table(
        {
            "run": pa.array([run] * len(steps), pa.string()),
            "step": pa.array(steps, pa.int64()),
            "tokens": pa.array([one * tokens for one in steps], pa.int64()),
            "flops": pa.array([one * flops for one in steps], pa.float64()),
            "loss": pa.array([losses[one] for one in steps], pa.float64()),
        }
    )


def run_of(held: StudyFolder, run: str) -> RunFolder:
    """The finished run whose hash begins so.

    Raises: UnknownName where none does, or several do.
    """
    there = {one.spec.hash: one for one in held.folders() if (one.path / "model").is_dir()}
    found = [name for name in there if name.startswith(run)] if run else []
    if len(found) != 1:
        raise UnknownName("finished run", run, there, listing=f"isoflop lab status {held.path}")
    return there[found[0]]


def write_model(held: StudyFolder, run: str, to: Path) -> None:
    """Copy a run's model (config.json, model.safetensors) to a folder; `run` may be the beginning of a hash."""
    one = run_of(held, run)
    if to.exists():
        raise BadInput(f"{to} is there already; name a folder that is not.")
    shutil.copytree(one.path / "model", to)
