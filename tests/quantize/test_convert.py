"""Whole checkpoints: what is written, what is kept, what is reported, and what a broken call leaves."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.quantize.checkpoints import read, shapes, weights, write

import isoflop
from isoflop.cli import isoflop as command
from isoflop.errors import BadFile, BadInput, Infeasible, UnknownName
from isoflop.quantize import Options, Report, quantize

SCHEMES = (
    "int8", "int4-g128", "int4-g32-affine", "int3-g64", "int8-w8a8", "fp8", "fp8-tensor", "fp8-block", "mxfp8", "mxfp4",
    "nvfp4",
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("checkpoints") / "source", weights())


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", SCHEMES)
def test_the_reported_error_is_that_of_what_reads_back(name: str, source: Path, tmp_path: Path) -> None:
    report = quantize(source, tmp_path / "out", name)
    quantize(tmp_path / "out", tmp_path / "back", "fp32")
    before, after = weights(), read(tmp_path / "back")
    assert after.keys() == before.keys()
    for one in report.tensors:
        x = before[one.name].astype(np.float64)
        off = after[one.name].astype(np.float64) - x
        if one.kept:
            assert not off.any()
        else:
            assert one.relative_error == pytest.approx(np.linalg.norm(off) / np.linalg.norm(x), rel=1e-4)
            assert one.largest == pytest.approx(np.abs(off).max(), rel=1e-5)
    assert len(report.quantized) == 14


def test_files_are_as_many_as_before_and_whole(source: Path, tmp_path: Path) -> None:
    untouched = bytes_of(source)
    report = quantize(source, tmp_path / "out", "int4-g128")
    assert bytes_of(source) == untouched
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {
        "config.json", "generation_config.json", "tokenizer.json.txt", "model.safetensors.index.json",
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "quantization_report.json",
    }  # fmt: skip
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(read(tmp_path / "out"))
    assert index["metadata"]["total_size"] == report.bytes_after
    assert json.loads((tmp_path / "out" / "quantization_report.json").read_text())["bits_per_weight"] > 4.1


def test_bytes_add_up_to_the_seeds_arithmetic(source: Path, tmp_path: Path) -> None:
    """4, 2 and 1 bytes a parameter, then scales, then what stays."""
    report = quantize(source, tmp_path / "out", "int8")
    codes = sum(one.numbers for one in report.quantized)
    rows = sum(one.shape[0] for one in report.quantized)
    kept = sum(one.bytes_after for one in report.tensors if one.kept)
    assert report.bytes_after == codes + 2 * rows + 16 * len(report.quantized) + kept
    total = sum(int(np.prod(shape)) for shape in shapes().values())
    assert report.numbers == total
    assert report.saved(4) == pytest.approx(1 - report.bytes_after / (4 * total))
    assert report.saved() == pytest.approx(report.saved(2))
    assert quantize(source, tmp_path / "wide", "fp32").bytes_after == 4 * total


def test_threads_and_kernels_change_no_byte(source: Path, tmp_path: Path) -> None:
    kinds = [Options(threads=1), Options(threads=3), Options(fast=False), Options(sync=True)]
    made = []
    for index, options in enumerate(kinds):
        quantize(source, tmp_path / str(index), "int4-g32-affine", options=options)
        made.append(read(tmp_path / str(index)))
    for other in made[1:]:
        assert all(np.array_equal(made[0][name], other[name]) for name in made[0])


def test_embeddings_head_and_vectors_stay_unless_asked(source: Path, tmp_path: Path) -> None:
    report = quantize(source, tmp_path / "a", "int8", options=Options(keep=("*.down_proj",), include=("lm_head",)))
    kept = {one.name: one.kept for one in report.tensors if one.kept}
    assert kept["model.layers.0.mlp.down_proj.weight"] == "kept as asked"
    assert kept["model.embed_tokens.weight"] == "embedding"
    assert "lm_head.weight" not in kept
    config = json.loads((tmp_path / "a" / "config.json").read_text())["quantization_config"]
    assert "model.layers.1.mlp.down_proj" in config["ignore"]
    assert "lm_head" not in config["ignore"]


def test_a_group_that_does_not_divide_is_kept_with_its_reason(source: Path, tmp_path: Path) -> None:
    report = quantize(source, tmp_path / "out", "int4-g256")
    assert sorted(one.name for one in report.quantized) == [
        f"model.layers.{layer}.mlp.down_proj.weight" for layer in (0, 1)
    ]
    assert any("do not divide into groups of 256" in one.kept for one in report.tensors)


def test_odd_tensors_are_handled_and_told(tmp_path: Path) -> None:
    tensors = weights()
    for name, value in (("q", 0.0), ("k", 0.5)):
        full = f"model.layers.0.self_attn.{name}_proj.weight"
        tensors[full] = np.full_like(tensors[full], value)
    for name in ("int4-g128", "nvfp4", "mxfp4", "fp8"):
        report = quantize(write(tmp_path / f"s-{name}", tensors), tmp_path / name, name)
        notes = {one.name: one.note for one in report.tensors if one.note}
        assert notes["model.layers.0.self_attn.q_proj.weight"] == "all zeros"
        assert notes["model.layers.0.self_attn.k_proj.weight"] == "every weight is 0.5"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(bad: float, tmp_path: Path) -> None:
    tensors = weights()
    tensors["model.layers.1.mlp.up_proj.weight"][200, 3] = bad
    source = write(tmp_path / "source", tensors)
    with pytest.raises(BadInput, match=r"up_proj.weight' holds NaN or infinity.*--keep"):
        quantize(source, tmp_path / "out", "int8")
    assert sorted(file.name for file in tmp_path.iterdir() if "out" in file.name) in ([], ["out.unfinished"])
    kept = quantize(source, tmp_path / "kept", "int8", options=Options(keep=("model.layers.1.mlp.up_proj",)))
    assert np.array_equal(
        read(tmp_path / "kept")["model.layers.1.mlp.up_proj.weight"].view(np.uint16),
        tensors["model.layers.1.mlp.up_proj.weight"].view(np.uint16),
    )
    assert len(kept.quantized) == 13


def test_a_broken_call_is_gone_on_with(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoflop.quantize import convert

    whole = quantize(source, tmp_path / "whole", "int4-g128")
    real, seen = convert._shard, []

    def once(shard: object, *rest: object) -> object:
        if seen:
            raise KeyboardInterrupt
        seen.append(shard)
        return real(shard, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(convert, "_shard", once)
    with pytest.raises(KeyboardInterrupt):
        quantize(source, tmp_path / "out", "int4-g128")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(convert, "_shard", real)
    report = quantize(source, tmp_path / "out", "int4-g128")
    assert report.resumed == 1
    assert report.tensors == whole.tensors
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_another_job_does_not_use_what_is_there(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out.unfinished"
    folder.mkdir()
    (folder / ".job.json").write_text("{}")
    (folder / "model-00001-of-00002.safetensors").write_text("half")
    (folder / ".model-00001-of-00002.safetensors.done.json").write_text('{"tensors": []}')
    assert quantize(source, tmp_path / "out", "int8").resumed == 0


def test_a_folder_that_was_not_made_by_a_conversion_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.unfinished").mkdir()
    (tmp_path / "out.unfinished" / "mine.txt").write_text("mine")
    with pytest.raises(BadFile, match="not made by a conversion"):
        quantize(source, tmp_path / "out", "int8")
    assert (tmp_path / "out.unfinished" / "mine.txt").read_text() == "mine"


def test_a_full_disk_leaves_nothing_that_looks_whole(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    real, left = os.pwrite, [40_000]

    def short(file: int, data: bytes, at: int) -> int:
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data, at)

    monkeypatch.setattr(os, "pwrite", short)
    with pytest.raises(BadFile, match="the disk is full"):
        quantize(source, tmp_path / "out", "int8")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 10))
    with pytest.raises(Infeasible, match="10 are free"):
        quantize(source, tmp_path / "out", "int8")


def test_what_is_quantized_already_is_refused_and_read_back(source: Path, tmp_path: Path) -> None:
    quantize(source, tmp_path / "out", "int8")
    with pytest.raises(BadFile, match="quantized already"):
        quantize(tmp_path / "out", tmp_path / "again", "int4")
    report = quantize(tmp_path / "out", tmp_path / "back", "bf16")
    config = json.loads((tmp_path / "back" / "config.json").read_text())
    assert "quantization_config" not in config
    assert {one.stored for one in report.tensors} == {"BF16"}


def test_casts(tmp_path: Path) -> None:
    source = write(tmp_path / "source", weights(dtype="float32"), files=1)
    report = quantize(source, tmp_path / "half", "fp16")
    assert report.saved() == pytest.approx(0.5)
    assert json.loads((tmp_path / "half" / "config.json").read_text())["torch_dtype"] == "float16"
    mixed = quantize(source, tmp_path / "mixed", "int8", options=Options(rest="bf16"))
    assert {one.stored for one in mixed.tensors} == {"int8", "BF16"}


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        ("int4-g7", {}, "multiple of 8"),
        ("int8", {"keep": ("*.up_prj",)}, "matches no layer"),
        ("int8", {"keep": ("*",)}, "nothing to convert"),
        ("int8", {"include": ("*embed_tokens",)}, "includes nothing: embedding"),
        ("bf16", {}, "nothing to convert"),
        ("int8", {"percentile": 20}, "50 to 100"),
        ("int8", {"rest": "int8"}, "kept in bf16"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    source: Path, tmp_path: Path, to: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        quantize(source, tmp_path / "out", to, options=Options(**options))  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


def test_places_are_checked(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="int4-g128"):
        quantize(source, tmp_path / "out", "int4-g128x")
    for folder, message in ((source, "there already"), (tmp_path / "a" / "b", "not there"), (source / "in", "inside")):
        with pytest.raises(BadFile, match=message):
            quantize(source, folder, "int8")
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    for path in (tmp_path / "pickled", tmp_path / "pickled" / "pytorch_model.bin"):
        with pytest.raises(BadFile, match="save_pretrained"):
            quantize(path, tmp_path / "out", "int8")


def test_the_room_can_be_called(source: Path, tmp_path: Path) -> None:
    assert isinstance(isoflop.quantize(source, tmp_path / "out", "int8"), Report)


def test_command_line(source: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    done = run(command, ["quantize", str(source), str(tmp_path / "out"), "--to", "int4-g128", "--tensors"])
    assert done.exit_code == 0, done.output
    assert "INT4, one scale for 128 weights" in done.output
    again = run(command, ["quantize", str(source), str(tmp_path / "b"), "--to", "mxfp4", "--scales", "mse", "--json"])
    assert json.loads(again.output)["scheme"] == "mxfp4"
    for form in ("md", "html", "csv"):
        words = ["quantize", str(source), str(tmp_path / form), "--to", "fp8", "--format", form]
        assert run(command, words).exit_code == 0
    listed = run(command, ["quantize", "--list"])
    assert "nvfp4" in listed.output
    assert run(command, ["dtype", "pi"]).output.count("-4.51 %") == 6
    assert json.loads(run(command, ["dtype", "0.1", "--json"]).output)["stored"][0]["format"] == "fp64"
    assert len(json.loads(run(command, ["dtype", "--json"]).output)["formats"]) == 18
