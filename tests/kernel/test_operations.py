"""Times of single operations: what they go with, and in which direction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.hardware import device
from isoflop.kernel import (
    Chip,
    Profile,
    all_gather_time,
    all_reduce_time,
    attention_time,
    cast_time,
    chip_of,
    elementwise_time,
    exchange_time,
    matmul_time,
    profile_of,
    profiles,
    score_time,
)

CHIP = chip_of(device("h100-sxm-80gb"), node_chips=8)
PROFILE = profile_of(CHIP)[1]
SIZES = st.integers(min_value=1, max_value=1 << 18)


def faster(chip: Chip, **times: float) -> Chip:
    """A chip with bandwidths and rates times so much."""
    rates = tuple((name, rate * times.get("rates", 1.0)) for name, rate in chip.rates)
    changed = {name: getattr(chip, name) * value for name, value in times.items() if name != "rates"}
    return replace(chip, rates=rates, **changed)


@given(SIZES, SIZES, SIZES)
def test_a_product_takes_less_at_a_higher_peak_and_more_with_every_side(m: int, n: int, k: int) -> None:
    base = matmul_time(m, n, k, chip=CHIP, profile=PROFILE, group="16")
    assert matmul_time(m, n, k, chip=faster(CHIP, rates=1.5), profile=PROFILE, group="16") < base
    assert matmul_time(2 * m, n, k, chip=CHIP, profile=PROFILE, group="16") > base
    assert matmul_time(m, 2 * n, k, chip=CHIP, profile=PROFILE, group="16") > base
    assert matmul_time(m, n, 2 * k, chip=CHIP, profile=PROFILE, group="16") > base


def test_large_products_reach_the_share_of_the_profile() -> None:
    side = 65536.0
    time = matmul_time(side, side, side, chip=CHIP, profile=PROFILE, group="16")
    assert 2 * side**3 / time / CHIP.rate("16") == pytest.approx(PROFILE.format("16").efficiency, rel=0.03)


def test_small_products_reach_less() -> None:
    small, large = (
        2 * size**3 / matmul_time(size, size, size, chip=CHIP, profile=PROFILE, group="16") for size in (1024.0, 8192.0)
    )
    assert small < 0.6 * large


def test_attention_of_later_kernels_is_faster_and_kept_scores_cost_memory() -> None:
    times = [attention_time(1e12, chip=CHIP, profile=PROFILE, generation=one) for one in (1, 2, 3)]
    assert times == sorted(times, reverse=True)
    slow = score_time(1e12, 1e10, chip=CHIP, profile=PROFILE)
    assert score_time(1e12, 1e10, chip=faster(CHIP, bandwidth=2.0), profile=PROFILE) < slow


def test_what_is_bound_by_memory_goes_with_its_bandwidth() -> None:
    wide = faster(CHIP, bandwidth=2.0)
    both = [elementwise_time(1e9, 2.0, chip=chip, profile=PROFILE, kernels="eager") for chip in (CHIP, wide)]
    assert both[0] == pytest.approx(2 * both[1])
    casts = [cast_time(1e9, chip=chip, profile=PROFILE) for chip in (CHIP, wide)]
    assert casts[0] == pytest.approx(2 * casts[1])


@pytest.mark.parametrize("ranks", [1, 2, 8, 16, 512])
def test_collectives_never_slow_down_with_bandwidth(ranks: int) -> None:
    for change in ({"link": 2.0}, {"network": 2.0}):
        for time in (all_gather_time, all_reduce_time, exchange_time):
            before = time(1e9, ranks, ranks, chip=CHIP, profile=PROFILE)
            assert time(1e9, ranks, ranks, chip=faster(CHIP, **change), profile=PROFILE) <= before


def test_a_group_of_one_moves_nothing() -> None:
    assert all_gather_time(1e9, 1.0, 1.0, chip=CHIP, profile=PROFILE) == 0
    assert exchange_time(1e9, 1.0, 1.0, chip=CHIP, profile=PROFILE) == 0


def test_ranks_of_a_node_bring_their_networks_together() -> None:
    whole = all_gather_time(1e10, 64.0, 64.0, chip=CHIP, profile=PROFILE)
    lonely = all_gather_time(1e10, 8.0, 64.0, chip=CHIP, profile=PROFILE)
    assert lonely > 3 * whole
    assert all_gather_time(1e10, 64.0, 64.0, chip=CHIP, profile=PROFILE, rails=False) > 3 * whole


def test_sending_a_token_to_a_node_once_saves_network() -> None:
    plain = exchange_time(1e9, 64.0, 64.0, chip=CHIP, profile=PROFILE)
    assert exchange_time(1e9, 64.0, 64.0, chip=CHIP, profile=PROFILE, targets=8.0) < plain


@pytest.mark.parametrize("profile", profiles().values(), ids=profiles().keys())
def test_profiles_say_what_they_were_fitted_on_and_are_in_their_bounds(profile: Profile) -> None:
    assert profile.fitted
    assert profile.spread > 1
    assert {"16", "8", "4", "fp32"} <= set(profile.matmul)
    assert profile.attention.first <= profile.attention.second <= profile.attention.third


def test_a_device_without_a_profile_gets_the_generic_one_with_a_wider_interval() -> None:
    name, profile = profile_of(chip_of(device("tpu-v5p")))
    assert name == "generic"
    assert profile.spread > max(one.spread for key, one in profiles().items() if key != "generic")


def test_a_server_of_four_reaches_four_and_a_rack_reaches_the_rack() -> None:
    assert chip_of(device("h200-sxm-141gb"), node_chips=4).domain == 4
    assert chip_of(device("gb200-186gb"), node_chips=4).domain == 72


def test_a_lower_power_limit_is_seen() -> None:
    assert chip_of(device("h100-sxm-96gb")).cap < 1
    assert CHIP.cap == 1


def test_times_take_arrays() -> None:
    sizes = np.array([1024.0, 4096.0])
    times = matmul_time(sizes, 4096.0, 4096.0, chip=CHIP, profile=PROFILE, group="8")
    assert [float(one) for one in times] == [
        matmul_time(size, 4096.0, 4096.0, chip=CHIP, profile=PROFILE, group="8") for size in sizes.tolist()
    ]


def test_what_a_group_gets_of_its_links_depends_on_how_they_lie() -> None:
    """Small groups get all of a switch, one link of a mesh, one dimension of a torus; the largest get all of each."""
    size = 1e9

    def rate(chip: Chip, ranks: int) -> float:
        profile = profile_of(chip)[1]
        ideal = size * (ranks - 1) / ranks / (chip.link * profile.link.efficiency)
        return float(ideal / all_gather_time(size, ranks, ranks, chip=chip, profile=profile))

    mesh, torus = chip_of(device("mi300x-192gb"), node_chips=8), chip_of(device("tpu-v5p"))
    assert (mesh.topology, torus.topology) == ("mesh", "torus")
    assert rate(CHIP, 2) == pytest.approx(1.0, rel=0.05)
    assert rate(mesh, 2) == pytest.approx(1 / 7, rel=0.05)
    assert rate(mesh, 8) == pytest.approx(1.0, rel=0.05)
    assert rate(torus, 4) == pytest.approx(2 / 6, rel=0.05)
    assert rate(torus, 64) == pytest.approx(1.0, rel=0.1)


def test_large_groups_wait_as_a_tree_does() -> None:
    tiny = [float(all_gather_time(1.0, ranks, ranks, chip=CHIP, profile=PROFILE)) for ranks in (64, 4096)]
    assert tiny[1] < 4 * tiny[0]


def test_attention_in_fp32_keeps_its_bits_on_matrix_units() -> None:
    """As three products of tf32 where that is faster than vector units, whatever other products are done in."""
    one, other = (
        attention_time(1e12, chip=CHIP, profile=PROFILE, generation=1, group=group) for group in ("fp32", "tf32")
    )
    assert one == other
    best = max(CHIP.rate("fp32"), CHIP.rate("tf32") / 3)
    assert one == pytest.approx(1e12 / (best * PROFILE.attention.share(1)))


def test_small_products_in_fp32_lose_less_to_memory_than_those_in_16_bit() -> None:
    for profile in profiles().values():
        assert profile.format("fp32").shape < profile.format("16").shape
