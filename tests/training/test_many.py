"""The account of many runs: sums of what each takes, by the same terms as that of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from isoflop import hardware
from isoflop.cli import isoflop as cli
from isoflop.errors import BadInput, Infeasible, MissingData
from isoflop.model import model, shape_for
from isoflop.training import Terms, Wanted, account_of_many, tariff_of

if TYPE_CHECKING:
    from pathlib import Path

DEVICE = hardware.device("h100-sxm")


def ladder(*sizes: float) -> list[Wanted]:
    return [Wanted(name=f"{size:g}", model=shape_for(size), tokens=20 * size) for size in sizes]


def test_the_whole_is_the_sum_of_its_runs() -> None:
    found = account_of_many(ladder(1e8, 4e8, 1e9), DEVICE, 8, tariff_of(DEVICE), Terms(grid="fr"))
    lines = {line.name: line for line in found.parts["energy"]}
    assert lines["energy"].value == pytest.approx(sum(one.energy for one in found.every), rel=1e-6)
    rent = next(line for line in found.parts["money"] if line.name == "rent")
    tariff = tariff_of(DEVICE)
    assert tariff is not None
    assert rent.value == pytest.approx(found.chip_time * tariff.amount)
    emitted = [line for line in found.parts["energy"] if line.name == "emissions, France"]
    assert len(emitted) == 2
    assert {line.note.split(":")[0] for line in emitted} == {"56 g a kWh", "41.4 g a kWh"}
    for line in emitted:
        assert line.value == pytest.approx(lines["energy"].value * float(line.note.split()[0]) / 1e3 / 3.6e6, rel=1e-3)


def test_a_run_takes_the_fewest_chips_that_hold_it_and_more_of_them_less_time() -> None:
    found = account_of_many(ladder(1e8, 13e9), DEVICE, 64, None)
    assert [one.chips for one in found.every] == [1, 4]
    alone = account_of_many(ladder(1e8), DEVICE, 1, None).every[0]
    assert alone.chip_time == found.every[0].chip_time
    assert alone.low < alone.chip_time < alone.high
    assert found.time >= found.chip_time / 64


def test_small_runs_reach_less_of_the_peak() -> None:
    small, large = account_of_many(ladder(3e7, 1e9), DEVICE, 8, None).every
    assert small.mfu < 0.7 * large.mfu


def test_what_cannot_be_accounted_for() -> None:
    with pytest.raises(BadInput, match="0 runs"):
        account_of_many([], DEVICE, 8, None)
    with pytest.raises(BadInput, match="0 chips"):
        account_of_many(ladder(1e8), DEVICE, 0, None)
    large = [Wanted(name="large", model=model("llama-3.1-405b"), tokens=1e12)]
    with pytest.raises(Infeasible, match="large: no usual layout of 8"):
        account_of_many(large, DEVICE, 8, None)


def test_a_table_of_runs_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text("params,tokens\n1e8,2e9\n4e8,8e9\n2e6,1e8\n", encoding="utf-8")
    words = ["cost", str(path), "--on", "8xh100-sxm", "--grid", "fr"]
    held = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)
    assert len(held["runs"]) == 3
    assert held["chip_time"] == pytest.approx(sum(one["chip_time"] for one in held["runs"]))
    text = CliRunner().invoke(cli, words).output
    assert "3 runs on 8 x NVIDIA H100 SXM 80 GB" in text
    assert "emissions, France" in text
    assert "| run 2 (400M) |" in CliRunner().invoke(cli, [*words, "--format", "md"]).output
    assert isinstance(CliRunner().invoke(cli, ["cost", str(path)]).exception, BadInput)
    assert isinstance(CliRunner().invoke(cli, [*words, "--tokens", "1T"]).exception, BadInput)
    bare = tmp_path / "bare.csv"
    bare.write_text("params,loss\n1e8,3\n", encoding="utf-8")
    said = CliRunner().invoke(cli, ["cost", str(bare), "--on", "8xh100-sxm"]).exception
    assert isinstance(said, MissingData)
    assert "no tokens in" in str(said)
    assert isinstance(CliRunner().invoke(cli, ["cost", "llama-3.1-8b", "--on", "8xh100-sxm"]).exception, BadInput)


def test_a_study_has_the_shapes_and_batches_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = pytest.importorskip("isoflop.lab")
    from isoflop.lab.sizes import Wanted as Asked
    from isoflop.torchmodel.shape import Shape

    shape = Shape(layers=2, width=64, heads=1, kv_heads=1, head_width=64, inner=176, vocabulary=512)
    spec = lab.RunSpec(shape=shape, data="x", steps=1000, sequence=64, batch=8, seed=0)

    class Folder:
        def __init__(self, path: Path) -> None:
            self.path = path

        def wanted(self) -> Asked:
            return Asked(specs=(spec, spec), brackets=(), stopped=())

    monkeypatch.setattr(lab, "StudyFolder", Folder)
    (tmp_path / "study.toml").write_text("", encoding="utf-8")
    held = json.loads(CliRunner().invoke(cli, ["cost", str(tmp_path), "--on", "1xh100-sxm", "--json"]).output)
    assert [one["tokens"] for one in held["runs"]] == [512_000.0, 512_000.0]
    assert held["runs"][0]["params"] == shape.params
