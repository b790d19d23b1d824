from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import AmbiguousInput, BadFile, IsoflopError, UnknownName
from isoflop.hardware import device, device_names, grid, grids, node
from isoflop.hardware.names import find


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("tpu-v4", "tpu-v4"),
        ("TPU v4", "tpu-v4"),
        ("tpuv4", "tpu-v4"),
        ("Google TPU v4", "tpu-v4"),
        ("h100-sxm", "h100-sxm-80gb"),
        ("H100 SXM5 80GB", "h100-sxm-80gb"),
        ("NVIDIA H100-SXM-80GB", "h100-sxm-80gb"),
        ("h100 pcie 80", "h100-pcie-80gb"),
        ("a100-80", "a100-sxm-80gb"),
        ("a100-pcie-80", "a100-pcie-80gb"),
        ("4090", "rtx-4090"),
        ("GeForce RTX 4090", "rtx-4090"),
        ("mi300x", "mi300x-192gb"),
        ("a10", "a10"),
        ("a10g", "a10g"),
        ("L4", "l4"),
        ("trillium", "tpu-v6e"),
        ("h100", "h100-sxm-80gb"),
        ("A100 (variant unstated)", "a100-sxm-80gb"),
    ],
)
def test_what_finds_a_device(written: str, name: str) -> None:
    assert device(written).name == name


@pytest.mark.parametrize(
    ("written", "candidates"),
    [
        ("a100-pcie", ("a100-pcie-40gb", "a100-pcie-80gb")),
        ("v100-sxm2", ("v100-sxm2-16gb", "v100-sxm2-32gb")),
        ("p100", ("p100-pcie-16gb", "p100-sxm2-16gb")),
        ("tpu-v5", ("tpu-v5e", "tpu-v5p")),
        ("mi300", ("mi300a-128gb", "mi300x-192gb")),
    ],
)
def test_an_ambiguous_name_lists_the_candidates(written: str, candidates: tuple[str, ...]) -> None:
    with pytest.raises(AmbiguousInput) as caught:
        device(written)
    assert all(name in str(caught.value) for name in candidates)
    assert "isoflop devices" in str(caught.value)


def test_an_unknown_name_says_what_is_close() -> None:
    with pytest.raises(UnknownName) as caught:
        device("h100-sxn-80gb")
    assert str(caught.value) == (
        "no device 'h100-sxn-80gb'. Did you mean 'h100-sxm-80gb' or 'h800-sxm-80gb' or 'a100-sxm-80gb'? "
        "List all with: isoflop devices"
    )


@pytest.mark.parametrize("written", ["", " ", "24GB", "80 gb", "cpu/gpu", "tpu-v3/v4", "x" * 10_000, "\0.toml"])
def test_what_names_no_device(written: str) -> None:
    with pytest.raises(IsoflopError):
        device(written)


@given(st.text(max_size=200))
def test_any_text_names_a_device_or_is_refused(written: str) -> None:
    try:
        found = device(written).name
    except IsoflopError as error:
        message = str(error)
    else:
        assert found in device_names()
        return
    assert len(message) < 700


@pytest.mark.parametrize("name", device_names())
def test_every_name_finds_itself_in_any_spelling(name: str) -> None:
    for written in (name, name.upper(), name.replace("-", " "), name.replace("-", "_"), f" {name} "):
        assert device(written).name == name


def test_an_exact_name_wins_over_longer_ones() -> None:
    assert find("device", "l40", ("l4", "l40", "l40s"), {}, listing="") == "l40"


def test_own_files_are_taken_by_path(tmp_path: Path) -> None:
    text = Path(__file__).parents[2].joinpath("src/isoflop/hardware/devices/tpu-v4.toml").read_text(encoding="utf-8")
    mine = tmp_path / "my-chip.toml"
    mine.write_text(text.replace("275e12", "300e12"), encoding="utf-8")
    assert device(str(mine)).name == "my-chip"
    assert device(str(mine)).peak_rate("bf16").value == 300e12
    (tmp_path / "device.toml").write_text(text, encoding="utf-8")
    assert device(str(tmp_path)).peak_rate("bf16").value == 275e12
    (tmp_path / "node.toml").write_text('title = "x"\ndevice = "my-chip"\nchips = 4\n', encoding="utf-8")
    assert node(str(tmp_path / "node.toml")).chips == 4
    with pytest.raises(BadFile, match="no file"):
        device(str(tmp_path / "other.toml"))


def test_grids_by_country_and_source() -> None:
    assert grid("france").intensity.value * 3.6e9 == pytest.approx(56.0)
    assert grid("fr", source="ecologits").intensity.value * 3.6e9 == pytest.approx(41.4)
    assert grid("usa", year=2023).intensity.value * 3.6e9 == pytest.approx(369.5)
    assert grid("run-gpt-3").kind == "owner"
    with pytest.raises(UnknownName, match=r"codecarbon.*\(2023\)"):
        grid("fr", source="nobody")
    with pytest.raises(UnknownName, match="no grid 'atlantis'"):
        grid("atlantis")


def test_grids_of_the_tables_go_by_code_and_title() -> None:
    assert grid("Japan") == grid("jp")
    assert {entry.source.split()[0] for entry in grids("jp")} == {"codecarbon", "ecologits"}
    pound, kwh = 0.45359237, 3.6e6  # kg, J
    assert grid("us-ca").intensity.value * kwh * 1000 == pytest.approx(394.8 * pound)
    assert grid("gcp-us-central1").intensity.value * kwh * 1000 == pytest.approx(430)
    assert len(grids("us")) == 2


def test_a_grid_that_two_sources_know_has_both() -> None:
    everything: dict[str, set[str]] = {}
    for entry in grids():
        everything.setdefault(entry.name, set()).add(entry.source)
    for name, sources in everything.items():
        assert {entry.source for entry in grids(name)} == sources, name


def test_no_grid_stands_twice_from_one_source() -> None:
    entries = [(entry.name, entry.source) for entry in grids()]
    assert len(entries) == len(set(entries))
    assert len(entries) > 450
