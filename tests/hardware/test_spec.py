from __future__ import annotations

import numpy as np
import pytest

from isoflop.errors import BadInput, MissingData
from isoflop.hardware import Figure, Link, device, node
from isoflop.quantity import Centred, Point, Range


def test_a_figure_without_bounds_is_a_point() -> None:
    assert Figure(value=2.0, unit="W", source="x").spread() == Point(2.0)


def test_an_estimate_widens_an_answer() -> None:
    spread = device("tpu-v5e").power().spread()
    assert isinstance(spread, Centred)
    assert (spread.low, spread.median, spread.high) == (120, 200, 300)
    drawn = spread.sample(np.random.default_rng(0), 20_000)
    assert np.quantile(drawn, [0.05, 0.95]) == pytest.approx([120, 300], rel=0.03)


def test_documents_that_differ_bound_a_figure() -> None:
    spread = device("b200").memory_bandwidth().spread()
    assert spread == Range(7.7e12, 8e12)


def test_links() -> None:
    rate = Figure(value=100.0, unit="B/s/chip", source="x")
    assert Link(kind="a", topology="bridge", per_direction=rate).pair_rate() == 100
    assert Link(kind="a", topology="torus", per_direction=rate, peers=4).pair_rate() == 25
    with pytest.raises(MissingData, match="how many neighbours"):
        Link(kind="a", topology="mesh", per_direction=rate).pair_rate()
    with pytest.raises(MissingData, match="no rate of a links"):
        Link(kind="a", topology="switch").pair_rate()


@pytest.mark.parametrize("name", ["v4-63", "v4-0", "v5e-8", "v4", "v4-64-x", ""])
def test_names_that_are_no_slices(name: str) -> None:
    with pytest.raises(BadInput, match=r"v4-\{n\}"):
        device("tpu-v4").chips_in(name)


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(MissingData, match="cpu-epyc-9654: no usable memory is catalogued"):
        device("cpu-epyc-9654").memory_usable()
    with pytest.raises(MissingData, match="no network is catalogued"):
        node("tpu-v2-host").network()


def test_a_device_says_what_it_is() -> None:
    chip = device("mi250x")
    assert (chip.vendor, chip.kind, chip.year) == ("AMD", "GPU", 2021)
    assert chip.title == "AMD Instinct MI250X"
    assert chip.cores is None
    assert device("tpu-v4").cores == 2
    assert "trillium" in device("tpu-v6e").aliases
    assert chip.notes
    assert chip.review.agrees
