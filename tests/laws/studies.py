"""Runs for the tests: the committed ones, and synthetic studies of every form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isoflop.laws import Chinchilla, Runs, read_runs
from isoflop.laws.shape import Shape
from isoflop.quantity import FloatArray

HERE = Path(__file__).parent / "runs"
TRUE = Chinchilla(E=1.7, A=400.0, B=900.0, alpha=0.34, beta=0.36)

BESTS = (0.5, -0.7, 0.3, 0.5, 0.05, 0.5)
BOWL = (np.log(0.1), 0.01, np.log(0.08), 0.2, -0.05)

CONSTANTS: dict[str, tuple[float, ...]] = {
    "chinchilla": (np.log(1.7), np.log(400), np.log(900), 0.34, 0.36),
    "chinchilla-tied": (np.log(1.7), np.log(400), np.log(900), 0.35),
    "kaplan-params": (2.5, 0.08),
    "kaplan-tokens": (3.0, 0.095),
    "kaplan-flops": (3.4, 0.05),
    "kaplan-joint": (2.4, 3.1, 0.076, 0.103),
    "power-params": (0.5, 6.0, 0.34),
    "power-tokens": (0.5, 7.0, 0.3),
    "power-flops": (0.5, 7.0, 0.16),
    "overtraining": (0.55, 6.4, 7.4, 0.17),
    "data-constrained": (0.6255, 6.2554, 7.305, 0.3527, 0.36, np.log(15.4), np.log(5.3)),
    "farseer": (-0.1, -0.13, 0.1, 0.1, -0.1, 0.6, -0.15, -0.15, -1.0),
    "precision": (0.9, 6.0, 7.5, 0.34, 0.36, np.log(2.67), np.log(2.21), np.log(0.96)),
    "precision-post": (
        *(0.9, 6.0, 7.5, 0.34, 0.36, np.log(2.67), np.log(2.21), np.log(0.96)),
        *(-3.0, 0.5, 0.35, np.log(0.6)),
    ),
    "moe-clark": (-0.09, -0.14, 0.0056, 2.7, 1.35, 5.9),
    "moe-fine-grained": (np.log(0.47), np.log(18.1), np.log(30.8), 0.115, 0.147, np.log(2.1), 0.58),
    "width-depth": (np.log(1.8), np.log(60.0), np.log(2.0), np.log(2000.0), 0.6, 0.9, 0.35),
    "interaction": (np.log(1.7), np.log(400), np.log(900), 0.34, 0.3, 0.05),
    "overfitted": (np.log(1.7), np.log(400), np.log(900), 0.34, 0.36, np.log(1e-6), 0.9, 0.5, 1.1),
    "unique-tokens": (np.log(1.7), np.log(400), np.log(900), 0.34, 0.36, np.log(3000), 0.4),
    "moe-power": (np.log(1.7), np.log(400), 0.34, 0.1),
    "moe-tokens": (np.log(1.7), np.log(400), np.log(900), 0.34, 0.36, 0.1),
    "tuned": (np.log(1.7), np.log(400), np.log(900), 0.34, 0.36, *BESTS, *BOWL),
    "tuned-sequences": (np.log(1.7), np.log(400), np.log(900), 0.34, 0.36, *BESTS, *BOWL),
    "downstream": (0.9, 0.5, 0.8),
    "downstream-sigmoid": (0.2, np.log(0.55), np.log(3.0), 2.9),
}


def dots() -> Runs:
    """234 of the runs behind Chinchilla."""
    return read_runs(HERE / "chinchilla_dots.csv")


def design(rows: int = 160, seed: int = 1) -> dict[str, FloatArray]:
    """Every input that a form may ask for, drawn over wide ranges."""
    rng = np.random.default_rng(seed)

    def one_of(*values: float) -> FloatArray:
        return np.asarray(rng.choice(np.array(values, dtype=np.float64), rows))

    params = np.exp(rng.uniform(np.log(2e7), np.log(3e10), rows))
    tokens = params * np.exp(rng.uniform(np.log(2), np.log(400), rows))
    return {
        "params": params,
        "tokens": tokens,
        "flops": 6 * params * tokens,
        "tokens_per_param": tokens / params,
        "unique_tokens": tokens / one_of(1, 2, 8, 30, 100),
        "experts": one_of(1, 2, 4, 8, 16, 32, 64, 128, 512),
        "granularity": one_of(1, 2, 4, 8, 16, 32),
        "learning_rate": np.exp(0.5 - 0.7 * np.log(params) + 0.3 * np.log(tokens) + rng.uniform(-1.5, 1.5, rows)),
        "batch_tokens": np.exp(0.5 + 0.5 * np.log(tokens) + rng.uniform(-1.5, 1.5, rows)),
        "batch_sequences": np.exp(0.5 + 0.5 * np.log(tokens) + rng.uniform(-1.5, 1.5, rows)),
        "width": one_of(256, 512, 768, 1024, 2048, 4096),
        "depth": one_of(4, 8, 12, 24, 48, 80),
        "weight_bits": one_of(2, 3, 4, 6, 8, 16),
        "activation_bits": one_of(2, 3, 4, 6, 8, 16),
        "kv_bits": one_of(1, 2, 3, 4, 6, 8, 16),
        "post_bits": one_of(3, 4, 5, 6, 8, 16),
        "loss": rng.uniform(1.8, 4.0, rows),
    }


def synthetic(shape: Shape, noise: float = 0.0, *, rows: int = 160, seed: int = 1) -> Runs:
    """Runs that obey a form, with log-normal noise."""
    inputs = design(rows, seed)
    at = np.array(CONSTANTS[shape.name])
    exact = np.exp(np.asarray(shape.log_loss(at, inputs)))
    target = exact * np.exp(noise * np.random.default_rng(seed + 1).standard_normal(rows))
    if shape.name.startswith("downstream"):
        return Runs.of(loss=inputs["loss"], error=target)
    columns = {name: inputs[name] for name in {*shape.inputs, "params", "tokens"} - {"flops", "tokens_per_param"}}
    return Runs.of(**columns, loss=target)


def study(noise: float = 0.003, *, budgets: int = 6, sizes: int = 7, seed: int = 0) -> Runs:
    """IsoFLOP profiles of a known Chinchilla law."""
    flops, off = np.meshgrid(np.geomspace(1e18, 1e21, budgets), np.linspace(-1.2, 1.2, sizes))
    best = np.asarray(TRUE.allocate(flops.ravel()).params)
    params = best * np.exp(off.ravel())
    tokens = flops.ravel() / 6 / params
    rng = np.random.default_rng(seed)
    loss = np.asarray(TRUE.loss(params, tokens)) * np.exp(noise * rng.standard_normal(params.size))
    return Runs.of(params=params, tokens=tokens, loss=loss)
