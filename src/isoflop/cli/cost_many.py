"""`isoflop cost RUNS --on DEVICES`: the account of a table of runs, or of a study of the laboratory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, MissingData

if TYPE_CHECKING:
    from isoflop.training.many import Many, Wanted

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".xlsx")
"""Files that hold runs; a model is none of these."""


def is_runs(name: str) -> bool:
    """Whether a name means many runs: a table, or the folder of a study."""
    path = Path(name)
    return path.suffix.lower() in ENDINGS or (path / "study.toml").is_file()


def account_of_runs(name: str, on: str | None, options: dict[str, object]) -> Many:
    """The account of all runs of a table or a study on the devices that are named."""
    from isoflop import hardware
    from isoflop.flags.cost import terms_of
    from isoflop.quantity import read_cluster
    from isoflop.training import tariff_of
    from isoflop.training.many import account_of_many

    if on is None:
        raise BadInput("many runs are accounted for on named devices: give --on 8xh100-sxm")
    cluster = read_cluster(on)
    device = hardware.device(cluster.device)
    wish = {key: str(options[key]) for key in ("provider", "commitment", "region", "as_of") if options[key]}
    tariff = tariff_of(device, price=str(options["price"] or ""), **wish)
    wanted = _of_study(Path(name)) if Path(name).is_dir() else _of_table(name)
    return account_of_many(wanted, device, round(float(cluster.count or 1)), tariff, terms_of(options))


def _of_table(name: str) -> list[Wanted]:
    """The runs of a table that says parameters and tokens of each; a loss is not needed."""
    import numpy as np

    from isoflop.laws.runs import runs_of
    from isoflop.laws.table import read_table
    from isoflop.model import shape_for
    from isoflop.training.many import Wanted

    runs = runs_of(read_table(name))
    lacking = [key for key in ("params", "tokens") if key not in runs.columns]
    if lacking:
        raise MissingData(f"no {' and no '.join(lacking)} in {name}: an account needs both of every run")
    for key in ("params", "tokens"):
        gaps = np.flatnonzero(~(runs.columns[key] > 0))
        if len(gaps):
            raise BadInput(f"{name}: row {gaps[0] + 1} of {runs.rows} says no {key}: fill it in, or leave the row out")
    batches = runs.columns.get("batch_tokens")
    wanted = []
    for row, (params, tokens) in enumerate(zip(runs.columns["params"], runs.columns["tokens"], strict=True)):
        try:
            model = shape_for(float(params))
        except BadInput:
            model = shape_for(float(params), vocabulary=4096)
        batch = float(batches[row]) if batches is not None else 0.0
        wanted.append(Wanted(name=f"run {row + 1} ({model.name})", model=model, tokens=float(tokens), batch=batch))
    return wanted


def _of_study(folder: Path) -> list[Wanted]:
    """The runs that a study asks for as far as its results go, with their own shapes."""
    from isoflop.training.many import Wanted

    try:
        from isoflop.lab import StudyFolder
    except ImportError as error:
        raise MissingData(
            f"reading a study needs torch ({error.name} is not there): pip install 'isoflop[lab]'"
        ) from error
    return [
        Wanted(
            name=spec.model.name, model=spec.model, tokens=float(spec.tokens), batch=float(spec.batch * spec.sequence),
            sequence=spec.sequence,
        )
        for spec in StudyFolder(folder).wanted().specs
    ]  # fmt: skip
