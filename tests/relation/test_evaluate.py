"""Routes run on numbers: one point with all its roots, many points along one root."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.relation import small

from isoflop.errors import Infeasible
from isoflop.quantity import Real
from isoflop.relation import Relation, Route, System, find_route, relation
from isoflop.relation.evaluate import branches, number, run, run_many


def route(system: System, target: str, *given: str) -> Route:
    return find_route(system, frozenset((key, "given") for key in given), (target,))


MONEY = route(small.BASE, "params", "train_cost", "price", "peak_rate", "mfu", "tokens", "flops_per_param_token")
KNOWN = {
    "train_cost": 1e8,
    "price": small.TPU_V4_PRICE,
    "peak_rate": 275e12,
    "mfu": 0.4,
    "tokens": 4e12,
    "flops_per_param_token": 6.0,
}
BY_LOSS = route(small.WITH_LAW, "params", "loss", "train_flops")
AT = {"loss": 2.2, "train_flops": 1e22, "flops_per_param_token": 6.0}


def test_run_and_branches_agree_where_there_is_one_answer() -> None:
    (only,) = branches(MONEY.steps, KNOWN)
    assert run(MONEY, KNOWN) == only
    assert only["params"] == pytest.approx(1.1395e12, rel=1e-4)


def test_run_takes_the_smallest_root_and_branches_all_in_order() -> None:
    small_one, large_one = branches(BY_LOSS.steps, AT)
    assert run(BY_LOSS, AT) == small_one
    assert small_one["params"] < large_one["params"]
    assert small_one["tokens"] == pytest.approx(1e22 / 6 / small_one["params"])


def test_arrays_run_to_what_points_run_to() -> None:
    costs = np.geomspace(1e3, 1e9, 7)
    shares = np.linspace(0.1, 0.7, 7)
    outcome = run_many(MONEY, KNOWN | {"train_cost": costs, "mfu": shares}, KNOWN)
    singles = [
        run(MONEY, KNOWN | {"train_cost": float(cost), "mfu": float(share)})["params"]
        for cost, share in zip(costs, shares, strict=True)
    ]
    np.testing.assert_allclose(outcome["params"], singles, rtol=1e-15)


@pytest.mark.parametrize("branch", [0, 1])
def test_many_points_follow_their_own_root(branch: int) -> None:
    losses = np.linspace(2.1395, 2.6, 60)
    near = branches(BY_LOSS.steps, AT)[branch]
    outcome = run_many(BY_LOSS, AT | {"loss": losses}, near)
    singles = [branches(BY_LOSS.steps, AT | {"loss": float(loss)})[branch]["params"] for loss in losses]
    np.testing.assert_allclose(outcome["params"], singles, rtol=1e-8)


def test_columns_without_a_solution_are_nan() -> None:
    near = branches(BY_LOSS.steps, AT)[0]
    outcome = run_many(BY_LOSS, AT | {"loss": np.array([2.2, 1.9, 1.5])}, near)
    assert np.isfinite(outcome["params"]).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("compute", "found"),
    [
        (lambda: 1.0 / 0.0, np.inf),
        (lambda: 10.0**400, np.inf),
        (lambda: (-2.0) ** 0.5, np.nan),
        (lambda: np.float64(-1.0) ** 0.5, np.nan),
        (lambda: np.log(0.0), -np.inf),
        (lambda: np.exp(1e4), np.inf),
        (lambda: 3, 3.0),
    ],
)
def test_a_point_is_computed_without_exceptions_and_complex_numbers(compute: Callable[[], Real], found: float) -> None:
    np.testing.assert_equal(number(compute), found)
    assert isinstance(number(compute), float)


def _drawn(rng: np.random.Generator, n: int) -> Callable[..., Real]:
    offset = rng.normal(0.0, 0.01, n)
    return lambda params, tokens: small.hoffmann(params, tokens) + offset


DRAWN = small.BASE.with_relations((small.law(_drawn),))


def test_constants_of_a_law_are_drawn_forward_and_in_a_search() -> None:
    forward = route(DRAWN, "loss", "params", "tokens")
    point = {"params": np.full(500, 1e9), "tokens": 2e10}
    fixed = run_many(forward, point, {})["loss"]
    drawn = np.asarray(run_many(forward, point, {}, np.random.default_rng(1))["loss"])
    assert np.ptp(fixed) == 0.0
    assert drawn.std() == pytest.approx(0.01, rel=0.1)
    backward = route(DRAWN, "params", "loss", "train_flops")
    near = branches(backward.steps, AT)[0]
    drawn = np.asarray(
        run_many(backward, AT | {"flops_per_param_token": np.full(500, 6.0)}, near, np.random.default_rng(1))["params"]
    )
    slope = -28.47 / 2.2  # d ln N / d loss on this root
    assert np.log(drawn).std() == pytest.approx(abs(slope) * 0.01, rel=0.15)


def test_no_root_names_what_can_be_reached() -> None:
    with pytest.raises(Infeasible) as error:
        branches(BY_LOSS.steps, AT | {"loss": 1.9})
    assert str(error.value) == (
        "loss = 1.9 nats/token cannot be reached: the least that these knowns allow is 2.139 nats/token, "
        "at tokens = 323B, params = 5.16B"
    )


def test_no_root_of_a_larger_block_names_its_relations() -> None:
    @relation
    def reducible_loss(params: Real, tokens: Real) -> Real:
        return params + tokens

    @relation
    def size_loss(params: Real, tokens: Real) -> Real:
        return params + 2 * tokens

    system = System((reducible_loss, size_loss))
    found = route(system, "params", "reducible_loss", "size_loss")
    (solved,) = branches(found.steps, {"reducible_loss": 3e9, "size_loss": 5e9})
    assert solved["params"] == pytest.approx(1e9)
    with pytest.raises(Infeasible, match=r"no .* satisfies reducible_loss, size_loss with these knowns"):
        branches(found.steps, {"reducible_loss": 3e9, "size_loss": 7e9})


def test_roots_beyond_a_share_are_left_out() -> None:
    @relation
    def perplexity(mfu: Real) -> Real:
        return mfu + 0.3 / mfu

    @relation(gives="loss")
    def loss_of(mfu: Real) -> Real:
        return mfu

    found = route(System((perplexity, loss_of)), "loss", "perplexity")
    assert len(branches(found.steps, {"perplexity": 1.4})) == 1
    assert branches(found.steps, {"perplexity": 1.4})[0]["mfu"] == pytest.approx(0.2641101)


def test_opaque_relations_run_forward_like_any_other() -> None:
    opaque = Relation(name="ledger", gives="memory", inputs=("params",), body=lambda params: 16 * params, opaque=True)
    found = route(System((opaque,)), "memory", "params")
    assert run(found, {"params": 2.0})["memory"] == 32.0
