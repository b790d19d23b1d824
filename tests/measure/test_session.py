from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.measure.recorded import machine, measured

pytest.importorskip("torch")

from isoflop import hardware
from isoflop.errors import BadInput, MissingData, Undetermined
from isoflop.kernel import chip_of, profile_of
from isoflop.measure import finished
from isoflop.measure.clock import Measured, attempt
from isoflop.measure.fit import predicted
from isoflop.measure.machine import find_device
from isoflop.measure.suite import fitting_steps


def recorded(*, fitting: bool) -> list[Measured]:
    """The recorded measurements: those a profile is made from, or the steps of other shapes."""
    names = {one.name for one in fitting_steps(fast=True)}
    used = [one for one in measured() if one.what != "step" or one.settings["name"] in names]
    return used if fitting else [one for one in measured() if one not in used]


def test_a_recorded_gpu_predicts_its_own_unseen_steps() -> None:
    session = finished(machine(), tuple(recorded(fitting=True)), fast=True)
    assert session.chip.own is not None
    unseen = recorded(fitting=False)
    assert len(unseen) == 6
    errors = [predicted(one, session.chip, session.chip.own) / one.timing.seconds - 1 for one in unseen if one.timing]
    assert np.median(np.abs(errors)) < 0.03
    assert np.max(np.abs(errors)) < 0.06


def test_the_file_is_a_device_that_can_be_named_at_once(tmp_path: Path) -> None:
    session = finished(machine(), tuple(recorded(fitting=True)), fast=True)
    path = tmp_path / "mine.toml"
    path.write_text(session.text, encoding="utf-8")
    device = hardware.device(str(path))
    assert device.title == "NVIDIA H200 SXM 141 GB, measured"
    assert device.peak_rate("bf16").value == hardware.device("h200").peak_rate("bf16").value
    assert 0.5 * 989e12 < device.achievable_rate("bf16").value < 989e12
    name, profile = profile_of(chip_of(device))
    assert name == "own"
    assert profile.spread < profile_of(chip_of(hardware.device("h200")))[1].spread * 1.1
    assert "torch 2.11.0+cu130" in session.text
    assert "driver 580.159.04" in session.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"memory": 80e9}, "GB of memory"), ({"name": "NVIDIA A100-SXM4-80GB", "memory": 85e9}, "at most 312")],
)
def test_a_driver_that_lies_about_its_name_is_doubted(changes: dict[str, object], said: str) -> None:
    session = finished(machine(**changes), tuple(recorded(fitting=True)), fast=True)
    assert any(said in note for note in session.notes), session.notes
    assert any("not taken for" in note for note in session.notes)
    # the peaks are then what was measured, not those of the name
    assert session.device.peak_rate("bf16").source == "measured on this machine"


def test_what_ended_early_is_kept_and_marked() -> None:
    few = [one for one in recorded(fitting=True) if one.what in {"copy", "product"}]
    session = finished(machine(), tuple(few), fast=True, ended="ended early by hand")
    assert session.fitted is not None
    assert "attention" in " ".join(session.fitted.missing)
    assert any("not measured: attention" in note for note in session.notes)
    base = profile_of(chip_of(hardware.device("h200")))[1]
    assert session.chip.own is not None
    assert session.chip.own.attention == base.attention
    assert session.chip.own.matmul["16"] != base.matmul["16"]


def test_out_of_memory_in_the_middle_is_a_result() -> None:
    import torch

    def too_large() -> Measured:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8.00 GiB.\nmore")

    one = attempt("step", {"name": "large"}, too_large)
    assert one.timing is None
    assert one.failed == "out of memory: CUDA out of memory. Tried to allocate 8.00 GiB."
    session = finished(machine(), (*recorded(fitting=True), one), fast=True)
    assert "failed: step large: out of memory" in session.text


def test_without_a_product_there_is_no_profile() -> None:
    failed = Measured(what="product", settings={"form": "bf16"}, failed="out of memory: no room")
    with pytest.raises(MissingData, match=r"no matrix product could be measured .out of memory: no room"):
        finished(machine(), (failed,), fast=True)


def test_a_busy_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from isoflop.measure import Wish, session

    monkeypatch.setattr(session, "look", lambda _: machine(busy="2 other processes keep it 100% busy", load=1.0))
    with pytest.raises(Undetermined, match=r"2 other processes keep it 100% busy.*--busy"):
        session.measure(Wish(device="cpu"), lambda _: None)


def test_devices_that_are_not_there() -> None:
    with pytest.raises(BadInput, match=r"no device 'gpu'; there are cuda, mps, cpu"):
        find_device("gpu")
    import torch

    if not torch.cuda.is_available():
        with pytest.raises(MissingData, match=r"sees no cuda device here.*--on cpu"):
            find_device("cuda:1")


def test_a_busy_machine_says_so_in_its_file() -> None:
    session = finished(replace(machine(), busy="others keep 90% of it busy"), tuple(recorded(fitting=True)), fast=True)
    assert "on a busy machine: others keep 90% of it busy" in session.text


def test_a_cpu_is_not_taken_for_the_whole_chip_of_its_name() -> None:
    import torch

    made = machine(device=torch.device("cpu"), name="AMD EPYC", maker="AMD", memory=25e9, units=1)
    session = finished(made, tuple(recorded(fitting=True)), fast=True)
    assert session.device.kind == "CPU"
    assert session.device.peak_rate("bf16").source == "measured on this machine"
    assert not session.notes


def test_what_torch_cannot_do_is_a_result_and_a_fault_of_ours_is_not() -> None:
    def absent() -> Measured:
        raise NotImplementedError("no kernel of this format")

    def short() -> Measured:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: 9 bytes")

    def wrong() -> Measured:
        raise TypeError("product() takes 3 positional arguments but 4 were given")

    def misspelt() -> Measured:
        raise AttributeError("'Tensor' object has no attribute 'shap'")

    assert attempt("product", {}, absent).failed == "NotImplementedError: no kernel of this format"
    assert attempt("product", {}, short).failed.startswith("out of memory: ")
    for fault, kind in ((wrong, TypeError), (misspelt, AttributeError)):
        with pytest.raises(kind):
            attempt("product", {}, fault)


def test_weights_that_find_no_room_do_not_end_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from isoflop.measure import suite

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB.")

    monkeypatch.setattr(suite, "weights_for", full)
    found = [work() for work in suite._decoding(torch.device("cpu"), fast=False)]
    assert [one.failed for one in found] == ["out of memory: CUDA out of memory. Tried to allocate 3.00 GiB."]
    session = finished(machine(), (*recorded(fitting=True), *found), fast=True)
    assert "failed: weights" in session.text


def test_ctrl_c_in_the_middle_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from collections.abc import Iterator

    from isoflop.measure import Wish, session

    def interrupted(*_: object, **__: object) -> Iterator[Measured]:
        yield from (one for one in recorded(fitting=True) if one.what in {"copy", "product"})
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "look", lambda _: machine())
    monkeypatch.setattr(session, "suite", interrupted)
    told: list[Measured] = []
    made = session.measure(Wish(device="cpu"), told.append)
    assert len(told) == len(made.found) > 5
    assert any("ended early by hand" in note for note in made.notes)
    assert "ended early by hand" in made.text


def test_a_process_that_dies_in_a_collective_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import multiprocessing

    from isoflop.measure.collectives import measure_collective

    def dies(*_: object, **__: object) -> None:
        raise multiprocessing.ProcessRaisedException(
            "-- Process 1 --\nTraceback ...\nRuntimeError: NCCL: no room", 1, 9
        )

    monkeypatch.setattr(multiprocessing, "spawn", dies)
    one = measure_collective("gloo", 2, 4096)
    assert one.timing is None
    assert one.failed == "RuntimeError: NCCL: no room"
