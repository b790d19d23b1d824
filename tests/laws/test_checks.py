"""Every pitfall with runs that show it and runs that do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from tests.laws.studies import HERE, TRUE, dots, study

from isoflop.laws import Check, Options, Runs, check, fit, read_runs
from isoflop.laws.checks_runs import best_of_grid

RNG = np.random.default_rng(5)


def held(runs: Runs) -> dict[str, np.ndarray]:
    return {name: runs.columns[name].copy() for name in ("params", "tokens", "loss")}


def of(runs: Runs, name: str, *, law: str = "chinchilla", loss: str = "log-huber") -> Check:
    found = fit(runs, law, Options(bootstrap=60, loss=loss)).checks
    (one,) = [check for check in found if check.name.endswith(name)]
    return one


def broad(noise: float = 0.003, seed: int = 0) -> Runs:
    return study(noise, budgets=9, sizes=9, seed=seed)


def with_rows(runs: Runs, **columns: np.ndarray) -> Runs:
    return Runs.of(**{**held(runs), **columns})


def nan_losses() -> Runs:
    columns = held(broad())
    columns["loss"][::9] = np.nan
    return Runs.of(**columns)


def wrapped() -> Runs:
    runs = broad()
    flops = 6 * runs.columns["params"] * runs.columns["tokens"]
    flops = np.where(flops > 2.0**63, -(flops % 2.0**63), flops)
    return with_rows(runs, flops=flops)


def other_flops() -> Runs:
    runs = broad()
    extra = 1 + 0.6 * RNG.random(runs.rows)
    return with_rows(runs, flops=6 * runs.columns["params"] * runs.columns["tokens"] * extra)


def cut_schedules() -> Runs:
    runs = broad()
    return with_rows(runs, schedule_tokens=runs.columns["tokens"] * np.where(np.arange(runs.rows) % 2, 1.0, 3.0))


def whole_schedules() -> Runs:
    runs = broad()
    return with_rows(runs, schedule_tokens=runs.columns["tokens"])


def long_warmup() -> Runs:
    runs = broad()
    return with_rows(runs, warmup_tokens=np.full(runs.rows, np.quantile(runs.columns["tokens"], 0.5)))


def in_bits() -> Runs:
    runs = dots()
    return with_rows(runs, loss=runs.loss / np.log(2))


def two_tokenizers() -> Runs:
    columns = held(broad())
    second = np.arange(len(columns["loss"])) % 3 == 0
    columns["loss"] *= np.where(second, 1.08, 1.0)
    names = np.where(second, "bpe-50k", "bpe-200k").tolist()
    from isoflop.laws.runs import runs_of
    from isoflop.laws.table import Table

    return runs_of(Table(columns={**columns, "tokenizer": names}, source="x", format="arrays"))


def two_tokenizers_that_agree() -> Runs:
    runs = broad()
    return dataclasses.replace(runs, labels={"tokenizer": tuple("ab"[row % 2] for row in range(runs.rows))})


def one_sided() -> Runs:
    runs = study(0.001, sizes=25)
    best = np.asarray(TRUE.allocate(runs.columns["flops"]).params)
    return runs.where(runs.columns["params"] < 0.8 * best)


def bent() -> Runs:
    columns = held(broad())
    ratio = np.log(columns["tokens"] / columns["params"])
    columns["loss"] *= np.exp(0.004 * (ratio - ratio.mean()) ** 2 * np.sign(ratio - ratio.mean()))
    return Runs.of(**columns)


def levered() -> Runs:
    """A few far runs that alone decide the exponent, and disagree with the rest."""
    columns = held(study(0.001, budgets=4, sizes=6))
    far = {"params": np.geomspace(2e10, 4e10, 4), "tokens": np.geomspace(4e11, 8e11, 4)}
    far["loss"] = np.asarray(TRUE.loss(far["params"], far["tokens"])) * 1.1
    return Runs.of(**{name: np.concatenate([columns[name], far[name]]) for name in columns})


def narrow() -> Runs:
    flops, off = np.meshgrid(np.geomspace(1e20, 2e20, 4), np.linspace(-0.3, 0.3, 7))
    params = np.asarray(TRUE.allocate(flops.ravel()).params) * np.exp(off.ravel())
    tokens = flops.ravel() / 6 / params
    loss = np.asarray(TRUE.loss(params, tokens)) * np.exp(
        0.0004 * np.random.default_rng(1).standard_normal(params.size)
    )
    return Runs.of(params=params, tokens=tokens, loss=loss)


def turning() -> Runs:
    """Loss that stops falling in the dearest third, as where the data run out."""
    runs = broad(0.001)
    columns = held(runs)
    late = np.maximum(np.log10(runs.columns["flops"] / 3e19), 0.0)
    columns["loss"] *= np.exp(0.06 * late**2)
    return Runs.of(**columns)


def gridded() -> Runs:
    columns = held(broad())
    many = {name: np.repeat(values, 4) for name, values in columns.items()}
    many["loss"] *= np.exp(np.abs(0.03 * RNG.standard_normal(many["loss"].size)))
    many["learning_rate"] = np.tile([1e-4, 3e-4, 1e-3, 3e-3], len(columns["loss"]))
    return Runs.of(**many)


SHOWN: list[tuple[str, Callable[[], Runs], set[str]]] = [
    ("rows", nan_losses, {"warn"}),
    ("rows", broad, {"pass"}),
    ("overflow", wrapped, {"fail"}),
    ("overflow", dots, {"pass"}),
    ("conventions", other_flops, {"warn", "fail"}),
    ("conventions", broad, {"pass"}),
    ("schedule", cut_schedules, {"fail"}),
    ("schedule", long_warmup, {"warn", "fail"}),
    ("schedule", whole_schedules, {"pass"}),
    ("loss", in_bits, {"fail"}),
    ("loss", two_tokenizers, {"warn", "fail"}),
    ("loss", two_tokenizers_that_agree, {"warn"}),
    ("loss", dots, {"pass"}),
    ("isoflop", one_sided, {"fail"}),
    ("isoflop", broad, {"pass"}),
    ("leverage", levered, {"warn", "fail"}),
    ("leverage", broad, {"pass"}),
    ("identifiability", narrow, {"warn", "fail"}),
    ("identifiability", broad, {"pass"}),
    ("misfit", bent, {"warn", "fail"}),
    ("misfit", broad, {"pass"}),
    ("extrapolation", turning, {"warn", "fail"}),
    ("extrapolation", broad, {"pass"}),
    ("best of grid", gridded, {"warn", "fail"}),
    ("best of grid", broad, {"pass"}),
    ("replicates", broad, {"pass"}),
    ("optimiser", broad, {"pass"}),
    ("local minima", broad, {"pass"}),
    ("rounding", broad, {"pass"}),
    ("estimand", broad, {"pass"}),
    ("untrusted files", broad, {"pass"}),
]


def said(one: object) -> str:
    """A parameter in the name of its test, the same in every process."""
    return " or ".join(sorted(one)) if isinstance(one, set) else getattr(one, "__name__", str(one))


@pytest.mark.parametrize(("name", "made", "verdicts"), SHOWN, ids=said)
def test_a_pitfall_is_caught_where_it_is_and_not_where_it_is_not(
    name: str, made: Callable[[], Runs], verdicts: set[str]
) -> None:
    runs = made()
    one = of(runs, name)
    assert one.status in verdicts, one
    if one.status in {"warn", "fail"}:
        assert one.remedy


def test_replicates_and_checkpoints_of_the_gemstones() -> None:
    runs = read_runs(HERE / "gemstones.csv")
    assert of(runs, "replicates").status == "warn"
    assert of(runs, "schedule").status == "warn"


def test_the_lower_edge_is_named() -> None:
    one = of(dots(), "estimand", loss="asymmetric")
    assert one.status == "warn"
    assert one.number is not None
    assert one.number > 0.05


def test_starts_that_disagree_are_told() -> None:
    from dataclasses import replace

    from isoflop.laws.checks_fit import minima, optimiser

    found = fit(dots(), "chinchilla", Options(bootstrap=60))
    lonely = replace(found, certificate=replace(found.certificate, agree=2, others=(1.004, 2.0)))
    assert optimiser("1 optimiser", lonely, dots()).status == "warn"
    assert minima("2 local minima", lonely, dots()).status == "warn"


def test_all_sixteen_stand_in_every_fit_and_without_one() -> None:
    found = fit(dots(), "chinchilla", Options(bootstrap=60)).checks
    numbers = [one.name.split()[0] for one in found if one.name[0].isdigit()]
    assert numbers == [str(number) for number in range(1, 17)]
    alone = check(dots())
    assert [one.name for one in alone] == [one.name for one in found]
    assert {one.status for one in alone} >= {"pass", "none"}


def test_the_distance_to_the_best_of_a_grid_leaves_the_best_out() -> None:
    made = Runs.of(params=[1e7, 1e7, 2e7, 2e7], tokens=[1e9] * 4, loss=[3.0, 3.03, 2.0, 2.02])
    assert best_of_grid("best of grid", None, made).number == pytest.approx(0.01)
