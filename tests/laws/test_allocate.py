"""The best split: closed forms against search, demand, data, bits; intervals; the same decision in any units."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.laws.studies import CONSTANTS, HERE, TRUE, dots, study, synthetic

from isoflop import laws
from isoflop.errors import BadInput, Infeasible, MissingData
from isoflop.laws import SHAPES, Aim, Belief, Decision, Options, Runs, allocate, approaches, fit, published
from isoflop.laws.fitting import fit_point
from isoflop.laws.splitting import lowest


def belief(name: str, given: dict[str, float] | None = None) -> Belief:
    shape = SHAPES[name]
    at = np.array(CONSTANTS[name])
    return Belief(name=name, shape=shape, at=at, draws=np.empty((0, len(at))), of="none", given=given or {})


def test_search_meets_the_closed_form() -> None:
    closed = allocate("besiroglu2024", 1e23)
    # A demand of one token is nothing, and sends the question through the search.
    searched = allocate("besiroglu2024", Aim(flops=1e23, serve_tokens=1.0))
    for name in ("params", "tokens"):
        ours, other = getattr(searched, name), getattr(closed, name)
        assert ours == pytest.approx(other, rel=2e-6)
    assert searched.exponent == pytest.approx(closed.exponent, rel=1e-5)


def test_the_search_finds_the_deeper_of_two_valleys() -> None:
    found = lowest(lambda x: np.cos(x) - 0.1 * np.exp(-((x - 9.5) ** 2)), np.zeros(2), np.full(2, 12.0))
    assert found.at == pytest.approx([9.45, 9.45], abs=0.05)
    assert found.inside.all()
    assert not lowest(lambda x: x, np.zeros(1), np.ones(1)).inside.any()


def test_demand_is_what_the_lifetime_law_says() -> None:
    law = published("besiroglu2024").law
    found = allocate("besiroglu2024", Aim(flops=1e23, serve_tokens=1e12))
    assert found.params.value == pytest.approx(float(laws.allocate_lifetime(law, 1e23, 1e12).params), rel=1e-5)
    assert found.plain is not None
    assert found.params.value < found.plain.params.value
    spent = found.train_flops.value + found.serve_flops
    assert spent == pytest.approx(1e23)


@settings(max_examples=25, deadline=None)
@given(
    alpha=st.floats(0.15, 0.8),
    beta=st.floats(0.15, 0.8),
    flops=st.floats(1e19, 1e25),
    share=st.floats(0.05, 0.8),
)
def test_no_other_split_of_any_law_is_better(alpha: float, beta: float, flops: float, share: float) -> None:
    """Training and serving together cost what there is, and every other size on that line loses more."""
    at = np.array([np.log(1.7), np.log(0.5) + alpha * np.log(1e9), np.log(0.5) + beta * np.log(2e10), alpha, beta])
    held = replace(belief("chinchilla"), at=at)
    demand = share * allocate(held, flops).tokens.value
    found = allocate(held, Aim(flops=flops, serve_tokens=demand))
    spent = found.params.value * (6.0 * found.tokens.value + 2.0 * demand)
    assert spent == pytest.approx(flops, rel=1e-9)
    sizes = found.params.value * np.array([0.5, 0.9, 1.1, 1.8])
    losses = found.losses(sizes)[0]
    assert (losses[np.isfinite(losses)] >= found.loss.value * (1 - 1e-12)).all()
    assert found.valley[0] < found.params.value < found.valley[1]


def test_dearer_serving_argues_for_a_smaller_model() -> None:
    sizes = [
        allocate("besiroglu2024", Aim(flops=1e24, serve_tokens=1e12, serve_ratio=r)).params.value for r in (1, 3, 10)
    ]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("name", ["chinchilla", "kaplan-joint", "farseer"])
def test_a_loss_is_reached_with_the_least_compute(name: str) -> None:
    held = belief(name)
    best = allocate(held, 1e22)
    cheapest = allocate(held, Aim(loss=best.loss.value))
    assert cheapest.train_flops.value == pytest.approx(1e22, rel=1e-4)
    assert cheapest.params.value == pytest.approx(best.params.value, rel=1e-2)


def test_a_loss_with_demand_beats_every_other_size() -> None:
    aim = Aim(loss=2.1, serve_tokens=1e13)
    found = allocate("besiroglu2024", aim)
    law = published("besiroglu2024").law
    best = aim.total(np.array(found.params.value), np.array(found.tokens.value))
    for factor in (0.7, 0.95, 1.05, 1.5):
        size = found.params.value * factor
        tokens = np.geomspace(1e9, 1e16, 200_001)
        enough = tokens[np.asarray(law.loss(size, tokens)) <= 2.1]
        if len(enough):
            assert aim.total(np.array(size), np.array(enough[0])) > best


def test_a_loss_and_the_compute_that_reaches_it_are_one_question() -> None:
    asked = allocate("besiroglu2024", Aim(loss=2.1, serve_tokens=1e13))
    same = asked.at_its_compute()
    assert same.loss.value == pytest.approx(2.1, rel=1e-6)
    assert same.params.value == pytest.approx(asked.params.value, rel=1e-3)
    assert asked.plain is not None
    assert asked.plain.train_flops.value < asked.train_flops.value + asked.serve_flops


def test_the_valley_is_that_of_its_law() -> None:
    found, other = allocate("besiroglu2024", 1e22), laws.valley(published("besiroglu2024").law, 1e22)
    assert found.valley == pytest.approx((other.params_low, other.params_high), rel=1e-6)


def test_data_without_end_change_nothing_and_few_data_cost_loss() -> None:
    plain = allocate("besiroglu2024", 1e23)
    free = allocate("besiroglu2024", Aim(flops=1e23, unique_tokens=1e18))
    assert free.params.value == pytest.approx(plain.params.value, rel=1e-4)
    few = allocate("besiroglu2024", Aim(flops=1e23, unique_tokens=3e10))
    assert few.loss.value > plain.loss.value
    assert few.epochs is not None
    assert few.epochs > 4
    assert any("repeats fade" in one for one in few.warnings)


def test_epochs_bound_the_tokens() -> None:
    found = allocate("besiroglu2024", Aim(flops=1e24, unique_tokens=3e11, epochs=1))
    assert found.tokens.value == pytest.approx(3e11, rel=1e-6)
    with pytest.raises(BadInput, match="unique_tokens"):
        Aim(flops=1e24, epochs=2)


def test_fewer_bits_cost_less_and_lose_params() -> None:
    def at(bits: float) -> Decision:
        held = belief("precision", {"weight_bits": bits, "activation_bits": bits, "kv_bits": 16.0})
        steep = held.at.copy()
        steep[5:7] = np.log(5.0)  # a model that bits matter much to
        return allocate(replace(held, at=steep), 1e22)

    losses = {bits: at(bits).loss.value for bits in (1.0, 8.0, 16.0)}
    assert losses[8.0] < losses[16.0] < losses[1.0]
    assert at(8.0).params.value * at(8.0).tokens.value == pytest.approx(1e22 / 3, rel=1e-6)


def test_granularity_is_an_input_that_must_be_given() -> None:
    coarse, fine = (allocate(belief("moe-fine-grained", {"granularity": g}), 1e22) for g in (1.0, 16.0))
    assert fine.loss.value < coarse.loss.value
    runs = synthetic(SHAPES["moe-fine-grained"], 0.002)
    with pytest.raises(MissingData, match="--set granularity=VALUE"):
        allocate(fit(runs, "moe-fine-grained", Options(bootstrap=0)), 1e22)


def test_laws_that_split_nothing_say_so() -> None:
    with pytest.raises(MissingData, match="besiroglu2024"):
        allocate("ratio20", 1e22)
    with pytest.raises(MissingData, match="splits no budget"):
        allocate(belief_of_clark(), 1e22)
    with pytest.raises(Infeasible, match="leave nothing to train with"):
        allocate("besiroglu2024", Aim(flops=1e15, serve_tokens=1e12))
    with pytest.raises(Infeasible, match="falls to"):
        allocate("besiroglu2024", Aim(loss=1.5))
    with pytest.raises(BadInput, match="either"):
        Aim()


def belief_of_clark() -> laws.Fit:
    return fit(synthetic(SHAPES["moe-clark"], 0.002), "moe-clark", Options(bootstrap=0))


def test_intervals_hold_the_truth() -> None:
    inside = 0
    for seed in range(20):
        found = allocate(fit_point(study(seed=seed), SHAPES["chinchilla"], Options(bootstrap=200)), 1e22)
        true = float(TRUE.allocate(1e22).params)
        inside += found.params.low <= true <= found.params.high
    assert 11 <= inside <= 20


def test_units_change_no_decision() -> None:
    """Params in millions, tokens in words, loss in bits: the same split, the same valley, the same intervals."""
    runs = study()
    plain = allocate(fit(runs, options=Options(bootstrap=200)), 1e22)
    size, data = runs.columns["params"] / 1e6, runs.columns["tokens"] * 0.75
    other = Runs.of(params=size, tokens=data, loss=runs.loss / np.log(2), flops=runs.columns["flops"])
    scale = 1e6 / 0.75
    moved = allocate(fit(other, options=Options(bootstrap=200)), Aim(flops=1e22, flops_per_param_token=6.0 * scale))
    assert moved.params.value * 1e6 == pytest.approx(plain.params.value, rel=1e-6)
    assert moved.tokens.value / 0.75 == pytest.approx(plain.tokens.value, rel=1e-6)
    assert moved.loss.value * np.log(2) == pytest.approx(plain.loss.value, rel=1e-7)
    assert moved.params.low * 1e6 == pytest.approx(plain.params.low, rel=1e-4)
    assert np.array(moved.valley) * 1e6 == pytest.approx(np.array(plain.valley), rel=1e-5)


def test_approaches_agree_on_one_law_and_differ_on_a_bent_one() -> None:
    runs = study(0.001)
    sides = approaches(runs, allocate(fit(runs, options=Options(bootstrap=200)), 1e22), resamples=100)
    assert [one.disagrees for one in sides[:3]] == [False, False, False]
    assert {one.approach for one in sides[3:]} <= {"3, by chinchilla-tied", "3, by kaplan-joint", "3, by farseer"}
    assert sides[1].params is not None
    far = approaches(lopsided(), allocate(fit(lopsided(), options=Options(bootstrap=200)), 1e25), resamples=100)
    assert far[1].disagrees
    assert far[1].bias is not None
    assert abs(far[1].bias) > 0.02
    assert far[1].regret is not None
    assert far[1].regret > 0


def lopsided() -> Runs:
    """Valleys whose two sides differ, sampled ever farther to one side of their bottoms: parabolas are biased there."""
    law = laws.Chinchilla(E=1.5, A=80.0, B=30000.0, alpha=0.25, beta=0.5)
    flops, off = np.meshgrid(np.geomspace(1e18, 1e21, 6), np.linspace(-1.5, 2.5, 9))
    params = np.asarray(law.allocate(flops.ravel()).params) * np.exp(off.ravel() + 0.2 * np.log(flops.ravel() / 1e18))
    tokens = flops.ravel() / 6 / params
    noise = np.exp(0.0005 * np.random.default_rng(0).standard_normal(params.size))
    return Runs.of(params=params, tokens=tokens, loss=np.asarray(law.loss(params, tokens)) * noise)


def run(*words: str) -> tuple[int, str]:
    from isoflop.cli import isoflop

    done = CliRunner().invoke(isoflop, ["laws", "allocate", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_command_answers_in_every_format(tmp_path: object) -> None:
    code, text = run("besiroglu2024", "--flops", "1e24", "--demand", "2T")
    assert code == 0
    assert "without demand" in text
    held = json.loads(run("besiroglu2024", "--flops", "1e24", "--json")[1])
    assert held["answers"]["params"]["low"] < held["answers"]["params"]["value"] < held["answers"]["params"]["high"]
    assert "It follows" in run("besiroglu2024", "--flops", "1e24", "--explain")[1]
    assert "| best spent on |" in run("besiroglu2024", "--flops", "1e24", "--format", "md")[1]
    out = f"{tmp_path}/a.svg"
    assert run("besiroglu2024", "--flops", "1e24", "--out", out)[0] == 0


def test_the_smaller_of_budget_and_deadline_binds() -> None:
    words = (
        "besiroglu2024",
        "--budget",
        "$1m",
        "--deadline",
        "2 days",
        "--on",
        "64xh100-sxm",
        "--mfu",
        "40%",
        "--json",
    )
    held = json.loads(run(*words)[1])
    assert len(held["budget"]) == 2
    assert held["answers"]["train_flops"]["value"] == pytest.approx(held["budget"][0]["train_flops"]["value"])
    assert held["answers"]["train_flops"]["value"] == pytest.approx(64 * 989e12 * 0.4 * 2 * 86400, rel=0.01)


def test_a_table_is_fitted_and_its_approaches_stand_beside() -> None:
    code, text = run(str(HERE / "chinchilla_dots.csv"), "--flops", "5.76e23")
    assert code == 0
    assert "2, IsoFLOP valleys" in text
    assert dots().rows == 234


def test_several_values_of_an_input_are_compared(tmp_path: object) -> None:
    from isoflop.laws.fit_file import fit_object
    from isoflop.report import dumps

    path = f"{tmp_path}/moe.json"
    found = fit(synthetic(SHAPES["moe-fine-grained"], 0.002), "moe-fine-grained", Options(bootstrap=50))
    with open(path, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a plain file
        stream.write(dumps(fit_object(found)))  # type: ignore[arg-type]  # plain data
    held = json.loads(run(path, "--flops", "1e22", "--set", "granularity=1,4,16", "--json")[1])
    losses = [one["answers"]["loss"]["value"] for one in held["choices"]]
    assert losses == sorted(losses)
    assert held["given"] == {"granularity": 16.0}


def test_experts_are_worth_what_a_dense_model_of_equal_loss_is(tmp_path: object) -> None:
    from isoflop.laws.fit_file import fit_object
    from isoflop.report import dumps

    found = fit(synthetic(SHAPES["moe-clark"], 0.002), "moe-clark", Options(bootstrap=100))
    one, few, many = (laws.worth_of_experts(found, 1e9, experts) for experts in (1, 8, 64))
    assert one.gain == pytest.approx(1.0, rel=1e-6)
    assert 1.0 < few.gain < many.gain
    columns = {"params": np.array([many.dense.value]), "experts": np.array([1.0])}
    assert float(found.predict(columns)[0]) == pytest.approx(many.loss.value, rel=1e-9)
    assert many.dense.low < many.dense.value < many.dense.high
    path = f"{tmp_path}/moe.json"
    with open(path, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a plain file
        stream.write(dumps(fit_object(found)))  # type: ignore[arg-type]  # plain data
    assert "as good as dense" in run(path, "--params", "1B", "--set", "experts=8,64")[1]
    with pytest.raises(BadInput, match="moe-clark"):
        run("besiroglu2024", "--params", "1B", "--set", "experts=8")
    with pytest.raises(MissingData, match="moe-clark"):
        laws.worth_of_experts(fit(study(), options=Options(bootstrap=0)), 1e9, 8)
