"""A function becomes a relation: its name, parameters, defaults and docstring say everything."""

from __future__ import annotations

import dataclasses

import pytest
from tests.relation import small

from isoflop.quantity import Real
from isoflop.relation import Relation, System, relation, tree


def test_the_name_is_what_it_gives_and_the_parameters_are_what_it_needs() -> None:
    @relation
    def hardware_flops(train_flops: Real, hardware_overhead: Real = 1) -> Real:
        """Work that chips do.

        Neglects: padding.
        Source: [narayanan2021 §3.5] [korthikanti2022 §5]
        """
        return train_flops * hardware_overhead

    assert (hardware_flops.name, hardware_flops.gives) == ("hardware_flops", "hardware_flops")
    assert hardware_flops.inputs == ("train_flops", "hardware_overhead")
    assert hardware_flops.quantities == ("hardware_flops", "train_flops", "hardware_overhead")
    assert hardware_flops.defaults == {"hardware_overhead": 1.0}
    assert isinstance(hardware_flops.defaults["hardware_overhead"], float)
    assert (hardware_flops.kind, hardware_flops.policy, hardware_flops.opaque) == ("identity", False, False)
    assert hardware_flops.sources == ("narayanan2021", "korthikanti2022")
    assert hardware_flops.doc.startswith("Work that chips do.\n\nNeglects: padding.")


def test_gives_kind_and_policy_can_be_said() -> None:
    @relation(gives="tokens", kind="rule", policy=True)
    def twenty_to_one(params: Real) -> Real:
        return 20.0 * params

    assert (twenty_to_one.name, twenty_to_one.gives) == ("twenty_to_one", "tokens")
    assert (twenty_to_one.kind, twenty_to_one.policy, twenty_to_one.sources) == ("rule", True, ())


def test_relations_are_frozen_and_told_apart_by_identity() -> None:
    first, second = small.law(), small.law()
    assert first != second
    assert len({first, second}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.name = "other"  # type: ignore[misc]


def test_opaque_bodies_are_called_and_never_read() -> None:
    def refuses_trees(params: Real) -> Real:
        assert isinstance(params, float)
        return params if params > 1 else 1.0

    opaque = Relation(name="opaque", gives="loss", inputs=("params",), body=refuses_trees, opaque=True)
    assert tree(opaque) is None
    assert opaque(3.0) == 3.0


def test_a_system_is_indexed_by_quantity_and_collects_the_assumptions() -> None:
    system = small.BASE
    assert system.touching["chip_time"] == (small.train_flops_by_mfu, small.chip_time, small.train_cost)
    assert system.defaults == {"flops_per_param_token": 6.0}
    wider = system.with_relations((small.law(),))
    assert [one.name for one in wider.relations] == [*(one.name for one in system.relations), "hoffmann"]
    assert "loss" not in system.touching


def test_two_relations_may_not_assume_different_values_of_one_quantity() -> None:
    @relation
    def flops_per_token(params: Real, flops_per_param_token: Real = 2.0) -> Real:
        return flops_per_param_token * params

    with pytest.raises(AssertionError, match="flops_per_token: another relation assumes another flops_per_param_token"):
        System((small.train_flops, flops_per_token))


def test_two_relations_may_not_share_a_name() -> None:
    with pytest.raises(AssertionError, match="two relations of one name"):
        small.BASE.with_relations((small.chip_time,))
