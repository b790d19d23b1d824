"""Where checkpoints lie and go: links, single files, parts that are missing, folders, kills at the last moment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tests.quantize.checkpoints import read, weights, write

from isoflop.errors import BadFile
from isoflop.quantize import Options, quantize, scheme
from isoflop.quantize.job import Job
from isoflop.quantize.source import open_source


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "source", weights())


def single(folder: Path, name: str) -> Path:
    write(folder, weights(), files=1)
    (folder / "model.safetensors").rename(folder / name)
    return folder


def test_the_cache_of_hugging_face_is_links(source: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for file in source.iterdir():
        (snapshot / file.name).symlink_to(os.path.relpath(file, snapshot))
    quantize(snapshot, tmp_path / "out", "int8")
    assert not any(file.is_symlink() for file in (tmp_path / "out").iterdir())
    assert (tmp_path / "out" / "tokenizer.json.txt").read_text() == "kept beside"


def test_a_file_of_another_name_gets_an_index(tmp_path: Path) -> None:
    quantize(single(tmp_path / "source", "model-00001-of-00001.safetensors"), tmp_path / "out", "int8")
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {"model-00001-of-00001.safetensors"}


def test_a_part_is_not_taken_for_the_whole(tmp_path: Path, source: Path) -> None:
    part = single(tmp_path / "part", "model-00001-of-00003.safetensors")
    with pytest.raises(BadFile, match="2 of 3 files are missing"):
        quantize(part, tmp_path / "out", "int8")
    with pytest.raises(BadFile, match="1 of 2 files are missing"):
        quantize(source / "model-00002-of-00002.safetensors", tmp_path / "out", "int8")
    other = single(tmp_path / "other", "consolidated.safetensors")
    (source / "consolidated.safetensors").write_bytes((other / "consolidated.safetensors").read_bytes())
    assert quantize(source / "consolidated.safetensors", tmp_path / "out", "int8").tensors


def test_folders_that_are_left_are_told_and_templates_carried(source: Path, tmp_path: Path) -> None:
    for name, file in (("original", "params.json"), ("additional_chat_templates", "tool.jinja"), (".cache", "x")):
        (source / name).mkdir()
        (source / name / file).write_text("{}")
    report = quantize(source, tmp_path / "out", "int8", options=Options(sync=True))
    assert report.warnings == ("folders that are not carried along: original",)
    assert (tmp_path / "out" / "additional_chat_templates" / "tool.jinja").is_file()
    assert {file.name for file in (tmp_path / "out").iterdir() if file.is_dir()} == {"additional_chat_templates"}


def test_files_called_like_our_notes_are_carried(source: Path, tmp_path: Path) -> None:
    for name in ("job.json", "model.done.json"):
        (source / name).write_text('{"mine": 1}')
    quantize(source, tmp_path / "out", "int8")
    assert all((tmp_path / "out" / name).read_text() == '{"mine": 1}' for name in ("job.json", "model.done.json"))
    assert not any(file.name.startswith(".") for file in (tmp_path / "out").iterdir())


def test_configs_with_infinity_and_odd_text_are_carried(source: Path, tmp_path: Path) -> None:
    config = json.loads((source / "config.json").read_text())
    config |= {"time_step_limit": [0.0, float("inf")], "said": "\ud800 ünï"}
    (source / "config.json").write_text(json.dumps(config))
    quantize(source, tmp_path / "out", "int8")
    found = json.loads((tmp_path / "out" / "config.json").read_text())
    assert {key: found[key] for key in config} == config


def test_a_link_that_leads_nowhere_is_a_place_that_is_taken(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/nowhere")
    with pytest.raises(BadFile, match="there already"):
        quantize(source, tmp_path / "out", "int8")


def test_what_the_system_refuses_is_said(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadFile, match="name too long"):
        quantize(source, tmp_path / ("a" * 250), "int8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "tokenizer.json")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(BadFile, match=r"tokenizer.json: No space left.*goes on from there"):
        quantize(source, tmp_path / "out", "int8")
    monkeypatch.undo()
    assert quantize(source, tmp_path / "out", "int8").resumed == 2


def test_killed_between_its_name_and_its_end_it_is_whole(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002
        if path.name.endswith((".done.json", "job.json")):
            raise KeyboardInterrupt
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        quantize(source, tmp_path / "out", "int8")
    assert not (tmp_path / "out.unfinished").exists()
    assert len(read(tmp_path / "out")) > len(weights())


def test_an_empty_folder_of_a_killed_call_is_used(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.unfinished").mkdir()
    assert quantize(source, tmp_path / "out", "int8").resumed == 0


def test_a_file_cut_off_by_a_power_cut_is_made_again(source: Path, tmp_path: Path) -> None:
    quantize(source, tmp_path / "whole", "int8")
    name = "model-00001-of-00002.safetensors"
    with Job.open(tmp_path / "out", open_source(source), scheme("int8"), Options()) as job:
        (job.folder / name).write_bytes((tmp_path / "whole" / name).read_bytes())
        job.finish(name, [])
    (tmp_path / "out.unfinished" / name).write_bytes(b"")
    assert quantize(source, tmp_path / "out", "int8").resumed == 0
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_two_calls_at_once(source: Path, tmp_path: Path) -> None:
    with Job.open(tmp_path / "out", open_source(source), scheme("int8"), Options()) as job:
        with pytest.raises(BadFile, match="another process"):
            quantize(source, tmp_path / "out", "int8")
        job.finish("x", []) if (job.folder / "x").exists() else None


def test_a_source_that_changes_meanwhile_is_noticed(source: Path, tmp_path: Path) -> None:
    def touch(done: int, total: int) -> None:
        if done == total:
            os.utime(source / "model-00001-of-00002.safetensors", (0, 0))

    with pytest.raises(BadFile, match="has changed while it was read"):
        quantize(source, tmp_path / "out", "int8", progress=touch)
    assert not (tmp_path / "out").exists()


def test_names_that_clash_or_are_no_text_are_refused(tmp_path: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    clash = {**weights(), f"{name}_scale": np.ones((256, 1), np.float32)}
    with pytest.raises(BadFile, match="belongs to a quantized weight"):
        quantize(write(tmp_path / "clash", clash, files=1), tmp_path / "out", "int8")
    odd = write(tmp_path / "odd", weights(), files=1) / "model.safetensors"
    data = odd.read_bytes()
    header = data[8 : 8 + int.from_bytes(data[:8], "little")].replace(b"model.norm.weight", b"model.\\ud800.weight")
    odd.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + int.from_bytes(data[:8], "little") :])
    with pytest.raises(BadFile, match="no text"):
        quantize(odd.parent, tmp_path / "out", "int8")


def test_no_thread_still_writes_when_the_error_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    import time

    from isoflop.quantize import tensor

    running = []

    def slow(x: object, *rest: object) -> object:
        running.append(threading.get_ident())
        try:
            time.sleep(0.05)
            return real(x, *rest)  # type: ignore[arg-type]
        finally:
            running.remove(threading.get_ident())

    real = tensor.encode
    monkeypatch.setattr(tensor, "encode", slow)
    monkeypatch.setattr(tensor, "CHUNK", 1)
    values = {**weights(), "model.layers.0.mlp.up_proj.weight": np.full((1024, 128), np.float32(1))}
    values["model.layers.0.mlp.up_proj.weight"][0, 0] = np.nan
    with pytest.raises(Exception, match="NaN"):
        quantize(write(tmp_path / "source", values), tmp_path / "out", "int8", options=Options(threads=4))
    assert not running
