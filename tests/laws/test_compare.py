"""Two laws held against each other: differences with joint intervals, and losses that may not be compared."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from tests.laws.studies import HERE, TRUE, dots, study

from isoflop.errors import BadInput
from isoflop.laws import SHAPES, Comparison, Difference, Fit, Grounds, Options, Runs, believed, compare, fit
from isoflop.laws.fitting import fit_point

OPTIONS = Options(bootstrap=200)


def named(found: Comparison, start: str) -> Difference:
    return next(one for one in found.differences if one.name.startswith(start))


def test_a_law_does_not_differ_from_itself_and_draws_are_paired() -> None:
    held = believed(fit(dots(), options=OPTIONS))
    found = compare(held, held)
    assert found.paired
    for one in found.differences:
        assert one.change is not None
        assert one.change.value == pytest.approx(1.0 if one.is_ratio else 0.0)
        assert not one.told
        assert one.change.high - one.change.low < 1e-9


def test_losses_of_different_tokens_are_refused_or_converted() -> None:
    ours, theirs = believed("besiroglu2024"), believed("c4-untied2023")
    floor = named(compare(ours, theirs), "floor")
    assert floor.change is None
    assert "--bytes-per-token" in floor.refused
    bits = named(compare(ours, theirs, Grounds(bytes_per_token=(4.0, 4.0))), "floor")
    assert bits.unit == "bits/byte"
    assert bits.change is not None
    assert bits.first.value == pytest.approx(1.8172 / np.log(2) / 4, rel=1e-4)
    same = named(compare(ours, theirs, Grounds(same_tokens=True)), "floor")
    assert same.change is not None
    assert same.change.value == pytest.approx(np.exp(0.6303) - 1.8172, rel=1e-3)
    with pytest.raises(BadInput, match="one of them"):
        Grounds(same_tokens=True, bytes_per_token=(4.0, 4.0))
    with pytest.raises(BadInput, match="bytes per token"):
        compare(ours, theirs, Grounds(bytes_per_token=(4.0, -1.0)))


def test_sizes_of_different_counts_are_refused() -> None:
    runs = study()
    other = Runs.of(
        counts="non_embedding", params=runs.columns["params"], tokens=runs.columns["tokens"], loss=runs.loss
    )
    pair = [believed(fit(one, options=OPTIONS)) for one in (runs, other)]
    sizes = named(compare(pair[0], pair[1]), "best params")
    assert sizes.change is None
    assert "non_embedding" in sizes.refused
    assert named(compare(pair[0], pair[1]), "params ~ FLOP").change is not None


def test_the_interval_of_a_difference_holds_the_truth_and_tells_what_is_there() -> None:
    inside = told = 0
    for seed in range(12):
        first, second = (believed(fit_of(study(seed=2 * seed + side))) for side in (0, 1))
        one = named(compare(first, second, Grounds(flops=(1e22,))), "params ~ FLOP")
        assert one.change is not None
        inside += one.change.low <= 0.0 <= one.change.high
        told += one.told
    assert 7 <= inside <= 12
    assert told == 12 - inside
    bent = replace(TRUE, alpha=0.45, A=3000.0)
    runs = study()
    loss = np.asarray(bent.loss(runs.columns["params"], runs.columns["tokens"]))
    loss = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(len(loss)))
    other = Runs.of(params=runs.columns["params"], tokens=runs.columns["tokens"], loss=loss)
    assert named(compare(believed(fit_of(runs)), believed(fit_of(other))), "params ~ FLOP").told


def fit_of(runs: Runs) -> Fit:
    return fit_point(runs, SHAPES["chinchilla"], OPTIONS)


def test_units_change_no_difference() -> None:
    """Loss in bits on both sides, params in millions: the same exponents, the same ratios, the same verdicts."""
    first, second = study(seed=1), study(0.006, seed=2)
    plain = compare(believed(fit_of(first)), believed(fit_of(second)), Grounds(flops=(1e22,)))

    def moved(runs: Runs) -> Runs:
        return Runs.of(
            params=runs.columns["params"] / 1e6,
            tokens=runs.columns["tokens"] * 0.75,
            flops=runs.columns["flops"],
            loss=runs.loss / np.log(2),
        )

    # Compute of 6 N D in millions and words is smaller by their factors.
    budget = 1e22 * 0.75 / 1e6
    pair = [believed(fit_of(moved(one))) for one in (first, second)]
    other = compare(pair[0], pair[1], Grounds(flops=(budget,)))
    for ours, theirs in zip(plain.differences, other.differences, strict=True):
        assert ours.told == theirs.told
        if ours.change is not None and theirs.change is not None:
            assert np.array(theirs.change) == pytest.approx(np.array(ours.change), rel=1e-3, abs=1e-5)


def run(*words: str) -> tuple[int, str]:
    from isoflop.cli import isoflop

    done = CliRunner().invoke(isoflop, ["laws", "compare", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_command_compares_studies_and_still_lists_laws() -> None:
    table = str(HERE / "chinchilla_dots.csv")
    text = run(table, "besiroglu2024", "--same-tokens", "--target", "N=7B,D=140B", "--flops", "1e22")[1]
    assert "loss at 7B on 140B" in text
    assert "not told apart" in text
    held = json.loads(run("besiroglu2024", "hoffmann2022", "--difference", "--json")[1])
    assert held["differences"][0]["change"] is None
    assert held["loss_unit"] is None
    assert "alpha" in run("besiroglu2024", "hoffmann2022", "repeated2023")[1]
    with pytest.raises(BadInput, match="two laws"):
        run("besiroglu2024", "--difference")
    with pytest.raises(BadInput, match="two numbers"):
        run("besiroglu2024", "hoffmann2022", "--bytes-per-token", "four")
