"""The audit: how fast, against NumPy by hand, and how many planted slips it finds.

    OPENBLAS_NUM_THREADS=1 python benchmarks/audit.py            every row
    OPENBLAS_NUM_THREADS=1 python benchmarks/audit.py --slips    the slips by chain

Ours and the reference take turns and the best of several rounds counts. Nothing here fails; it prints.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core for both sides

import sys
from math import log
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.audit.examples import CLEAN, EXAMPLES, document
from tests.audit.mutations import plant
from tests.audit.random_chains import chain

from isoflop.audit import audit, audit_document, parse_napkin

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.audit import Document
    from isoflop.quantity import FloatArray, Real

ROUNDS = 9
SAMPLES = 100_000
STEPS = 20
CHANCE = 200  # chains made by chance


def best(*calls: Callable[[], object]) -> list[float]:
    """The shortest time of each, in seconds; they take turns."""
    shortest = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            start = perf_counter()
            call()
            shortest[place] = min(shortest[place], perf_counter() - start)
    return shortest


def chain_of_twenty() -> str:
    """A napkin of twenty implications over four uncertain inputs."""
    lines = ["[assume]"]
    lines += [f'{name} = {{ name = "{name}", value = "1 to 2" }}' for name in ("a", "b", "c", "d")]
    lines += ["[imply]", 's0 = { name = "s0", expr = "a * b" }']
    lines += [f's{i} = {{ name = "s{i}", expr = "s{i - 1} * {"abcd"[i % 4]} / 1.4" }}' for i in range(1, STEPS)]
    return "\n".join(lines)


def by_hand(draws: dict[str, Real]) -> FloatArray:
    """The same arithmetic written out."""
    a, b, c, d = (draws[name] for name in ("a", "b", "c", "d"))
    kept = [a * b]
    for i in range(1, STEPS):
        kept.append(kept[-1] * (a, b, c, d)[i % 4] / 1.4)
    return np.asarray(kept[-1])


def samples() -> None:
    """100,000 samples of twenty steps, without drawing them, which both sides share."""
    chain = audit_document(parse_napkin(chain_of_twenty())).chain
    rng = np.random.default_rng(0)
    draws: dict[str, Real] = {key: spread.sample(rng, SAMPLES) for key, spread in chain.roots.items()}
    assert np.allclose(np.asarray(chain.run(draws)["s19"]), by_hand(draws))
    ours, hand = best(lambda: chain.run(draws), lambda: by_hand(draws))
    print(f"{SAMPLES:,} samples of {STEPS} steps: {1e3 * ours:.2f} ms, by hand in NumPy {1e3 * hand:.2f} ms,", end=" ")
    print(f"ratio {ours / hand:.2f} (<= 1.5 {'kept' if ours / hand <= 1.5 else 'MISSED'})")


def whole_audit() -> None:
    """The chain of the price from its file to the report, after start: interval, alternatives and drivers included."""
    path = EXAMPLES / "gpt4_price.toml"

    def whole() -> object:
        return audit(path).sensitivity

    whole()
    (time,) = best(whole)
    print(f"{path.name}, file to report: {1e3 * time:.1f} ms (< 50 ms {'kept' if time < 0.05 else 'MISSED'})")


def slips(documents: dict[str, Document], *, by_chain: bool) -> None:
    """Every slip of the list at every implication of clean chains."""
    total = place = factor = kind = alarms = 0
    for name, read in documents.items():
        before = (total, place, factor, kind)
        alarms += not audit_document(read).is_clean
        for one in plant(read):
            total += 1
            findings = [finding for finding in audit_document(one.document).findings if finding.is_wrong]
            here = [finding for finding in findings if finding.step == one.step]
            if here and len(here) == len(findings):
                place += 1
                factor += any(f.factor is not None and abs(log(f.factor / one.factor)) < 0.1 for f in here)
                kind += here[0].kind in one.kinds
        if by_chain:
            counts = [after - earlier for after, earlier in zip((total, place, factor, kind), before, strict=True)]
            print(f"  {name:20} {counts[0]:5} slips: step {counts[1]}, factor {counts[2]}, class {counts[3]}")
    print(f"{total:,} slips in {len(documents)} clean chains: right step {place / total:.1%},", end=" ")
    print(f"right factor {factor / total:.1%}, right class {kind / total:.1%}; {alarms} of the clean raise an alarm")


def main() -> None:
    """Print every row."""
    if "--slips" not in sys.argv:
        samples()
        whole_audit()
    slips({name: document(name) for name in CLEAN}, by_chain="--slips" in sys.argv)
    slips({f"by chance {seed}": parse_napkin(chain(seed)) for seed in range(CHANCE)}, by_chain=False)


if __name__ == "__main__":
    main()
