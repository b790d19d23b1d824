"""What is said when the knowns do not reach the target."""

from __future__ import annotations

import pytest
from tests.relation import small
from tests.relation.small import fact, facts

from isoflop.errors import Undetermined
from isoflop.quantity import Real
from isoflop.relation import System, relation, solve


def reason(system: System, target: str, **known: float) -> Undetermined:
    with pytest.raises(Undetermined) as error:
        solve(system, facts(**known), target)
    return error.value


def test_the_nearest_relation_and_all_that_would_complete_it() -> None:
    error = reason(small.BASE, "params", train_cost=1e8, tokens=4e12)
    assert str(error) == (
        "cannot reach 'params' from tokens, train_cost. The nearest relation (train_flops) also needs: train_flops. "
        "Any one of these completes it: train_flops, tokens_per_param."
    )
    assert error.completes == ("train_flops", "tokens_per_param")
    assert error.exit_code == 3


@pytest.mark.parametrize("completing", ["tokens_per_param", "train_flops"])
def test_what_is_said_to_complete_it_does(completing: str) -> None:
    known = facts(train_cost=1e8, tokens=4e12, **{completing: 1e25 if completing == "train_flops" else 20.0})
    assert solve(small.BASE, known, "params").value > 0


def test_nothing_else_completes_it() -> None:
    known = facts(train_cost=1e8, tokens=4e12)
    for key in set(small.BASE.touching) - {"params", "tokens", "train_cost", "tokens_per_param", "train_flops"}:
        with pytest.raises(Undetermined):
            solve(small.BASE, [*known, fact(key, 0.5)], "params")


def test_where_no_single_quantity_is_enough() -> None:
    error = reason(small.BASE, "mfu", tokens=1e12)
    assert str(error) == (
        "cannot reach 'mfu' from tokens: no single quantity would complete it. "
        "The nearest relation (train_flops_by_mfu) also needs: train_flops, peak_rate, chip_time."
    )
    assert error.completes == ()


def test_from_nothing() -> None:
    assert str(reason(small.BASE, "train_cost")) == (
        "cannot reach 'train_cost' with nothing known: no single quantity would complete it. "
        "The nearest relation (train_cost) also needs: chip_time, price."
    )


def test_a_quantity_that_no_relation_holds() -> None:
    assert str(reason(small.BASE, "vocabulary", params=1e9)) == (
        "cannot reach 'vocabulary' from params: no single quantity would complete it."
    )


def test_defaults_and_catalogue_figures_are_not_called_knowns() -> None:
    with pytest.raises(Undetermined) as error:
        solve(
            small.BASE,
            [fact("peak_rate", 3e14, "catalogue"), fact("mfu", 0.3, "default"), fact("chips", 8.0)],
            "train_flops",
        )
    assert str(error.value) == (
        "cannot reach 'train_flops' from chips. The nearest relation (train_flops_by_mfu) also needs: chip_time. "
        "Any one of these completes it: chip_time, train_time."
    )


def test_a_long_list_is_cut_and_counted() -> None:
    error = reason(WIDE, "weight_bytes")
    assert len(error.completes) > 8
    shown, _, rest = str(error).partition("Any one of these completes it: ")[2].partition(" and ")
    assert shown.split(", ") == list(error.completes[:8])
    assert rest == f"{len(error.completes) - 8} more."


_KEYS = (
    *("gradient_bytes", "master_bytes", "optimizer_bytes", "activation_bytes", "train_state_bytes"),
    *("rule_of_thumb_bytes", "kv_cache_bytes", "memory", "peak_memory", "params", "tokens", "chips"),
)


def _equal_to(key: str) -> object:
    def body(weight_bytes: Real) -> Real:
        return weight_bytes * 1.0

    body.__name__ = key
    return relation(body)


WIDE = System(tuple(_equal_to(key) for key in _KEYS))  # type: ignore[arg-type]
