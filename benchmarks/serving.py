"""Estimates of serving: how fast, one at a time and in arrays, against a roofline by hand in NumPy.

    OPENBLAS_NUM_THREADS=1 python benchmarks/serving.py

The roofline answers far less: bytes over bandwidth, nothing waits. Ours and it take turns and the best of several
rounds counts. Nothing here fails; it prints.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core for both sides

from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from isoflop.hardware import device
from isoflop.model import model
from isoflop.serving import Deployment, Placement, Traffic
from isoflop.serving.pace import pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.quantity import FloatArray

ROUNDS = 9
ONES = 50
MANY = 100_000


def best(*calls: Callable[[], object]) -> list[float]:
    """The shortest time of each, in seconds; they take turns."""
    shortest = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            start = perf_counter()
            call()
            shortest[place] = min(shortest[place], perf_counter() - start)
    return shortest


def roofline(requests: FloatArray) -> FloatArray:
    """Seconds a token of a 70B model on eight H100: weights and caches over bandwidth, FLOP over the peak."""
    moved = 141e9 + requests * 2250 * 327_680
    return np.asarray(np.maximum(moved / (8 * 3.35e12), requests * 2 * 70.6e9 / (8 * 989e12)))


def main() -> None:
    """Print the table."""
    deployment = Deployment(model=model("llama-3.1-70b"), device=device("h100-sxm"), placement=Placement(tp=8))
    requests = np.linspace(1, 512, MANY)
    lengths = count(2000)

    def ones() -> None:
        for _ in range(ONES):
            pace(deployment, Traffic(input_tokens=next(lengths), output_tokens=500, concurrency=64))

    def arrays() -> None:
        pace(deployment, Traffic(input_tokens=2000, output_tokens=500, concurrency=requests))

    one, many, plain = best(ones, arrays, lambda: roofline(requests))
    print(f"one estimate             {one / ONES * 1e3:8.3f} ms")
    print(f"in arrays of {MANY:,}     {MANY / many:8,.0f} a second")
    print(f"a roofline in arrays     {MANY / plain:8,.0f} a second, {many / plain:.0f} times less work")


if __name__ == "__main__":
    main()
