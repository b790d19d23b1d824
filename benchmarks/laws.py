"""Fitting speed against SciPy's L-BFGS-B in Epoch AI's style, on the same runs, one process, one after the other.

    OPENBLAS_NUM_THREADS=1 python benchmarks/laws.py            every row
    OPENBLAS_NUM_THREADS=1 python benchmarks/laws.py --coverage  how often intervals of 500 simulated studies hold
    OPENBLAS_NUM_THREADS=1 python benchmarks/laws.py --choose    --law auto, and every form with 1,000 resamples
    OPENBLAS_NUM_THREADS=1 python benchmarks/laws.py --extrapolation  the dearer runs predicted from the cheaper ones

The reference style is that of the public replication of Chinchilla: log-sum-exp, Huber 1e-3, L-BFGS-B with finite
differences from 4,500 starts for the fit; for each resample BFGS with automatic gradients (torch) from one start.
A part of the reference is timed and scaled up: all of it takes minutes. Times are of the processor, not of the clock.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core for both sides

import sys
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np

from isoflop.laws import SHAPES, Chinchilla, Options, Runs, fit, read_runs
from isoflop.laws.fitting import fit_point
from isoflop.laws.problem import SumProblem, problem_of
from isoflop.laws.resample import bootstrap, group_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.laws.objective import Objective
    from isoflop.quantity import FloatArray

RUNS = Path(__file__).parent.parent / "tests" / "laws" / "runs" / "chinchilla_dots.csv"
DRAWS = 4000
STARTS = 4500
TIMED = 12  # of the reference's fits, then scaled up
ROUNDS = 5
STUDIES = 500
DELTA = 1e-3


def shortest(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The shortest of several times: seconds of a core, so that other jobs on the machine do not count."""
    best = float("inf")
    for _ in range(rounds):
        start = process_time()
        call()
        best = min(best, process_time() - start)
    return best


def row(what: str, ours: float, against: str, reference: float, limit: float) -> None:
    """Print a comparison with its budget."""
    kept = "kept" if ours <= limit else "MISSED"
    print(
        f"{what:<34} {ours:9.4f} s   {against:<34} {reference:9.2f} s {reference / ours:9,.0f}x   <= {limit:g} s {kept}"
    )


class Reference:
    """Epoch's style on the same runs."""

    def __init__(self, runs: Runs) -> None:
        self.params, self.tokens = np.log(runs.columns["params"]), np.log(runs.columns["tokens"])
        self.loss = np.log(runs.loss)

    def objective(self, at: FloatArray, rows: FloatArray) -> float:
        """The mean Huber loss of the log residuals, as there."""
        e, a, b, alpha, beta = at
        first = np.logaddexp(a - alpha * self.params[rows], b - beta * self.tokens[rows])
        off = np.abs(np.logaddexp(first, e) - self.loss[rows])
        return float(np.where(off <= DELTA, 0.5 * off**2, DELTA * (off - 0.5 * DELTA)).sum())

    def fit(self, start: FloatArray) -> float:
        """One start of the grid: L-BFGS-B, gradients by finite differences."""
        from scipy.optimize import minimize

        return float(minimize(self.objective, start, args=(slice(None),), method="L-BFGS-B").fun)

    def refit(self, start: FloatArray, rows: FloatArray) -> float:
        """One resample: BFGS with gradients from torch's autograd."""
        import torch

        torch.set_num_threads(1)
        from scipy.optimize import minimize

        params, tokens, loss = (torch.tensor(one[rows]) for one in (self.params, self.tokens, self.loss))

        def value_and_gradient(at: FloatArray) -> tuple[float, FloatArray]:
            x = torch.tensor(at, requires_grad=True)
            terms = torch.stack([x[0].expand_as(params), x[1] - x[3] * params, x[2] - x[4] * tokens])
            value = torch.nn.functional.huber_loss(torch.logsumexp(terms, 0), loss, reduction="sum", delta=DELTA)
            value.backward()
            assert x.grad is not None
            gradient: FloatArray = x.grad.numpy()
            return float(value.detach()), gradient

        return float(minimize(value_and_gradient, start, jac=True, method="BFGS").fun)

    def starts(self, rng: np.random.Generator) -> FloatArray:
        """Some of the grid: e in -1..1, a and b in 0..25, exponents in 0..2."""
        low, high = np.array([-1.0, 0.0, 0.0, 0.0, 0.0]), np.array([1.0, 25.0, 25.0, 2.0, 2.0])
        starts: FloatArray = low + (high - low) * rng.random((TIMED, 5))
        return starts


def speed() -> None:
    """One fit, 4,000 resamples, and a table of a million rows."""
    runs = read_runs(RUNS)
    shape, quick = SHAPES["chinchilla"], Options(bootstrap=0)
    found = fit_point(runs, shape, quick)
    problem = problem_of(shape, {k: runs.columns[k] for k in shape.inputs}, runs.loss, fixed={}, ties={}, bounds={})
    assert isinstance(problem, SumProblem)
    free = problem.coordinates.reduced(found.at)
    reference, rng = Reference(runs), np.random.default_rng(0)
    print(f"{runs.rows} runs, seconds of one core; the reference is timed on {TIMED} fits and scaled\n")
    theirs = [shortest(lambda at=at: reference.fit(at), 1) for at in reference.starts(rng)]  # type: ignore[misc]  # bound now
    ours = shortest(lambda: fit_point(runs, shape, quick))
    row("one fit from all starts", ours, f"L-BFGS-B, {STARTS:,} starts", float(np.mean(theirs)) * STARTS, 0.05)
    rows = [rng.integers(0, runs.rows, runs.rows) for _ in range(TIMED)]
    if find_spec("torch"):
        style = "BFGS with autograd from one start"
        theirs = [shortest(lambda one=one: reference.refit(found.at, one), 1) for one in rows]  # type: ignore[misc]  # bound now
    else:
        style = "BFGS, finite differences"
        theirs = []
    data, objective = (np.ones(runs.rows), runs.groups), found.objective
    for engine, limit in (("numpy", 2.0), ("numba", 0.5)):
        if engine == "numba" and not find_spec("numba"):
            print("numba: not installed (pip install 'isoflop[fast]')")
            continue
        asked = Options(bootstrap=DRAWS, engine=engine)
        bootstrap(problem, free, data, objective, asked)  # compiled or read from the cache
        ours = shortest(lambda asked=asked: bootstrap(problem, free, data, objective, asked))  # type: ignore[misc]  # bound now
        row(f"{DRAWS:,} resamples, {engine}", ours, style, float(np.mean(theirs)) * DRAWS if theirs else 0.0, limit)
    agreement(problem, free, objective, reference)
    large()


def agreement(problem: SumProblem, free: FloatArray, objective: Objective, reference: Reference) -> None:
    """On the same resamples, our objective against the reference's."""
    if not find_spec("torch"):
        return
    rng = np.random.default_rng(7)
    weights = group_weights(np.arange(problem.rows), TIMED, rng)
    from isoflop.laws.newton import minimise

    ours = minimise(problem, np.repeat(free[None], TIMED, axis=0), weights, objective)
    at = problem.coordinates.full(free)
    theirs = [reference.refit(at, np.repeat(np.arange(problem.rows), one.astype(int))) for one in weights]
    off = ours.value / np.array(theirs) - 1.0
    print(f"\nobjective of {TIMED} resamples over the reference's: {off.min():+.1e} to {off.max():+.1e}")


def large(rows: int = 1_000_000) -> None:
    """Reading and fitting a million rows."""
    from tempfile import TemporaryDirectory

    rng = np.random.default_rng(0)
    law = Chinchilla(E=1.7, A=400.0, B=900.0, alpha=0.34, beta=0.36)
    params = np.exp(rng.uniform(np.log(1e7), np.log(1e10), rows))
    tokens = params * np.exp(rng.uniform(1, 6, rows))
    loss = np.asarray(law.loss(params, tokens)) * np.exp(0.01 * rng.standard_normal(rows))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        np.savetxt(path, np.stack([params, tokens, loss], 1), delimiter=",", header="N,D,loss", comments="", fmt="%.9g")
        start = process_time()
        runs = read_runs(path)
        middle = process_time()
        found = fit(runs)
        end = process_time()
    print(f"{rows:,} rows: read in {middle - start:.2f} s, fitted and checked in {end - middle:.2f} s; alpha", end=" ")
    print(f"{found.constants['alpha']:.4f} +- {found.errors['alpha']:.4f} (true 0.34)")


def coverage(studies: int = STUDIES, noise: float = 0.005) -> dict[str, float]:
    """How often the 80 % intervals of simulated studies hold the truth; predictions: a new run beside the old ones."""
    law = Chinchilla(E=1.7, A=400.0, B=900.0, alpha=0.34, beta=0.36)
    true = {"E": 1.7, "A": 400.0, "B": 900.0, "alpha": 0.34, "beta": 0.36}
    inside = dict.fromkeys([*true, "params exponent", "new run", "loss at 10x"], 0.0)
    exponent = true["beta"] / (true["alpha"] + true["beta"])
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        params = np.exp(rng.uniform(np.log(5e7), np.log(1e10), 240))
        tokens = params * np.exp(rng.uniform(np.log(3), np.log(300), 240))
        loss = np.asarray(law.loss(params, tokens)) * np.exp(noise * rng.standard_normal(240))
        found = fit_point(
            Runs.of(params=params, tokens=tokens, loss=loss), SHAPES["chinchilla"], Options(bootstrap=1000)
        )
        for name, (low, high) in found.interval(0.8).items():
            inside[name] += low <= true[name] <= high
        _, low, high = found.exponent_interval(0.8) or (0.0, 0.0, 0.0)
        inside["params exponent"] += low <= exponent <= high
        at = {"params": np.array([1e9]), "tokens": np.array([3e10]), "flops": np.array([1.8e20])}
        new = float(law.loss(1e9, 3e10)) * np.exp(noise * rng.standard_normal())
        _, lows, highs = found.predict_interval(at, 0.8, rng)
        inside["new run"] += lows[0] <= new <= highs[0]
        far = {"params": np.array([1e10]), "tokens": np.array([2e12])}
        losses = np.exp(np.asarray(found.shape.log_loss(found.doubt.draws, far)))[:, 0]
        inside["loss at 10x"] += np.quantile(losses, 0.1) <= float(law.loss(1e10, 2e12)) <= np.quantile(losses, 0.9)
    return {name: count / studies for name, count in inside.items()}


def extrapolation() -> None:
    """Fits to the cheaper half and four fifths of the committed studies: errors and 80 % intervals on the rest."""
    folder = RUNS.parent
    studies = (("chinchilla_dots", "chinchilla"), ("chinchilla_dots", "chinchilla-tied"), ("gemstones", "chinchilla"))
    for name, law in (*studies, ("farseer", "farseer"), ("farseer", "chinchilla")):
        runs = read_runs(folder / f"{name}.csv")
        for share in (0.5, 0.8):
            cheap = runs.columns["flops"] <= np.quantile(runs.columns["flops"], share)
            found = fit(runs.where(cheap), law, Options(bootstrap=300))
            rest = runs.where(~cheap & runs.usable())
            said, low, high = found.predict_interval(rest.columns, 0.8)
            inside = float(((low <= rest.loss) & (rest.loss <= high)).mean())
            off = float(np.median(np.abs(said / rest.loss - 1)))
            checks = [one.name for one in found.checks if one.status == "fail"]
            print(
                f"{name:<16} {law:<16} from {share:.0%}: median error {off:.2%}, {inside:.0%} of {rest.rows} inside"
                f"{'; fails ' + ', '.join(checks) if checks else ''}"
            )


def choosing(limit: float = 5.0) -> None:
    """Selection over all forms on 400 runs: --law auto, and with every form resampled; CPU time of this process."""
    from isoflop.laws.choose.auto import choose
    from isoflop.laws.choose.candidate import candidates

    runs = read_runs(RUNS.with_name("farseer.csv"))
    runs = runs.where(runs.usable())
    for engine in ("numba", "numpy") if find_spec("numba") else ("numpy",):
        asked = Options(bootstrap=1000, engine=engine, strict=False)
        fit(runs, "auto", asked)  # compiled or read from the cache
        start = process_time()
        fit(runs, "auto", asked)
        auto = process_time()
        chosen = choose(runs, asked)
        weighed = process_time()
        forms = [one for one in candidates(runs) if not one.trim]
        for one in forms:
            fit_point(runs, one.shape, asked)
        every = process_time() - auto
        kept = "kept" if every <= limit else "MISSED"
        print(
            f"{engine}: {runs.rows} runs, --law auto {auto - start:.2f} s; weighing {len(chosen.taken)} candidates"
            f" {weighed - auto:.2f} s; with 1,000 resamples of each of {len(forms)} forms {every:.2f} s,"
            f" <= {limit:g} s {kept}"
        )


def main() -> None:
    """Speed, coverage, choosing, or extrapolation."""
    if "--choose" in sys.argv:
        choosing()
    elif "--extrapolation" in sys.argv:
        extrapolation()
    elif "--coverage" in sys.argv:
        for name, share in coverage().items():
            print(f"{name:<16} {share:.1%} of {STUDIES} studies inside the 80 % interval")
    else:
        speed()


if __name__ == "__main__":
    main()
