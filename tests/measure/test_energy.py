"""Energy by the device's counter, by our estimate, by CodeCarbon: a fake tracker at the seam, and the real one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from tests.measure.recorded import machine

torch = pytest.importorskip("torch")

from isoflop.errors import MissingData  # noqa: E402
from isoflop.hardware import grids  # noqa: E402
from isoflop.measure import check_energy  # noqa: E402
from isoflop.measure import energy as room  # noqa: E402
from isoflop.measure.machine import look  # noqa: E402


@dataclass
class Spent:
    cpu_energy: float = 2e-6
    gpu_energy: float = 0.0
    ram_energy: float = 3e-6
    energy_consumed: float = 5e-6
    emissions: float = 1e-6
    codecarbon_version: str = "3.3.2"


class Tracker:
    """What CodeCarbon would do."""

    def __init__(self) -> None:
        self.final_emissions_data = Spent()
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> float | None:
        self.calls.append("stop")
        return 1e-6


CPU = torch.device("cpu")


def test_three_ways_stand_beside_each_other() -> None:
    tracker = Tracker()
    asked = []

    def made(grid: str) -> Tracker:
        asked.append(grid)
        return tracker

    found = check_energy(look(CPU), fast=False, tdp=100.0, grid="fr", seconds=0.01, tracker=made)
    assert asked == ["fr"]
    assert tracker.calls == ["start", "stop"]
    assert found.joules("our estimate") == pytest.approx(110 * found.seconds)
    assert found.joules("CodeCarbon, all") == pytest.approx(18.0)
    assert found.ratio == pytest.approx(110 * found.seconds / 18)
    assert found.theirs == "CodeCarbon 3.3.2"
    assert {one.source for one in grids("fr")} <= {one.source for one in found.emissions}
    assert any("memory is a constant" in line for line in found.why)
    assert any("no GPU" in line for line in found.why)


def test_without_codecarbon_and_without_a_tdp_it_says_what_is_missing() -> None:
    found = check_energy(look(CPU), fast=False, seconds=0.01, tracker=lambda _: None)
    assert found.ratio is None
    assert [one.joules for one in found.readings] == [None, None]
    assert any("--tdp" in one.note for one in found.readings)
    assert any("pip install codecarbon" in one.note for one in found.readings)
    assert found.emissions == ()


def test_a_board_is_taken_by_how_busy_it_is() -> None:
    known = machine(device=torch.device("cuda", 0))
    idle = room._ours(known, 0.0, 10.0, None)
    full = room._ours(known, 989e12 * 0.5 * 10, 10.0, None)
    assert idle.joules == pytest.approx((0.24 + 0.1) * 700 * 10)
    assert full.joules == pytest.approx(1.1 * 700 * 10)
    unknown = room._ours(replace(known, name="Some GPU"), 1e15, 10.0, None)
    assert unknown.joules is None


def test_codecarbon_itself_counts_a_machine() -> None:
    pytest.importorskip("codecarbon")
    found = check_energy(look(CPU), fast=False, tdp=30.0, grid="fr", seconds=3.0)
    theirs = found.joules("CodeCarbon, all")
    assert theirs is not None
    assert theirs > 0
    parts = [one.joules for one in found.readings if one.name.startswith("CodeCarbon, ") and "all" not in one.name]
    assert sum(one for one in parts if one is not None) == pytest.approx(theirs, rel=1e-6)


def test_a_grid_that_is_no_country_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType, SimpleNamespace

    carbon, country = ModuleType("codecarbon"), ModuleType("pycountry")
    carbon.OfflineEmissionsTracker = object  # type: ignore[attr-defined]
    country.countries = SimpleNamespace(get=lambda **_: None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codecarbon", carbon)
    monkeypatch.setitem(sys.modules, "pycountry", country)
    with pytest.raises(MissingData, match="knows countries"):
        room.codecarbon_tracker("world")


def test_the_command_prints_what_each_way_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from click.testing import CliRunner
    from tests.measure.recorded import measured

    from isoflop import measure
    from isoflop.cli import isoflop as cli

    session = measure.finished(machine(), tuple(measured()), fast=True)
    found = check_energy(look(CPU), fast=False, tdp=100.0, grid="fr", seconds=0.01, tracker=lambda _: Tracker())
    asked: dict[str, object] = {}
    monkeypatch.setattr(measure, "measure", lambda *_: session)
    monkeypatch.setattr(measure, "check_energy", lambda *_, **said: asked.update(said) or found)
    words = ["measure", "--energy", "--grid", "france", "--tdp", "100 W"]
    text = CliRunner().invoke(cli, words).output
    assert asked["tdp"] == 100.0
    assert asked["grid"] == "fr"
    assert "CodeCarbon, memory" in text
    assert "times what CodeCarbon 3.3.2 says" in text
    held = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)["energy"]
    assert held["theirs"] == "CodeCarbon 3.3.2"
    assert len(held["readings"]) == 5
