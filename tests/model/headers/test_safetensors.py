"""Headers of safetensors: what the library writes is read, and whatever does not add up is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.model.headers.files import safetensors, tensor

from isoflop.errors import BadFile, MissingData
from isoflop.model.headers import Held, ledger_of, model_of, read_tensors
from isoflop.model.headers.safetensors import BITS

LLAMA = {
    "model_type": "llama",
    "torch_dtype": "float32",
    "vocab_size": 10,
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "tie_word_embeddings": True,
}


def shapes() -> dict[str, list[int]]:
    """Tensors of that model."""
    found = {"model.embed_tokens.weight": [10, 8], "model.norm.weight": [8]}
    for layer in range(2):
        base = f"model.layers.{layer}."
        found |= {f"{base}self_attn.{name}_proj.weight": [8, 8] for name in "qkvo"}
        found |= {f"{base}mlp.{name}_proj.weight": [16, 8] for name in ("gate", "up")}
        found |= {f"{base}mlp.down_proj.weight": [8, 16]}
        found |= {f"{base}{name}_layernorm.weight": [8] for name in ("input", "post_attention")}
    return found


def write(path: Path, listed: dict[str, list[int]], dtype: str = "F32") -> Path:
    """These tensors one behind the other."""
    table, place = {}, 0
    for name, shape in listed.items():
        size = BITS[dtype] // 8
        for side in shape:
            size *= side
        table[name] = tensor(dtype, shape, place, place + size)
        place += size
    return safetensors(path, table, place)


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    kinds = {
        "BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32, "F64": torch.float64, "I8": torch.int8,
        "U8": torch.uint8, "I16": torch.int16, "I32": torch.int32, "I64": torch.int64, "BOOL": torch.bool,
        "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "F8_E8M0": torch.float8_e8m0fnu,
    }  # fmt: skip
    meant = {name: torch.zeros(3, 4, dtype=kind) for name, kind in kinds.items()} | {"scalar": torch.zeros(())}
    library.save_file(meant, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = read_tensors(tmp_path / "model.safetensors")
    assert {one.name: (one.dtype, one.shape, one.bytes) for one in found.tensors} == {
        **{name: (name, (3, 4), 12 * one.element_size()) for name, one in meant.items() if name != "scalar"},
        "scalar": ("F32", (), 4),
    }
    assert found.metadata == {"format": "pt"}
    assert found.by_dtype()["F32"] == Held(tensors=2, numbers=13, bytes=52)
    assert ledger_of(found).total == found.bytes
    assert read_tensors(tmp_path) == found


def test_a_file_of_half_a_terabyte_costs_its_header(tmp_path: Path) -> None:
    size = 500 * 10**9
    path = safetensors(tmp_path / "model.safetensors", {"a": tensor("U8", [size], 0, size)})
    os.truncate(path, path.stat().st_size + size)
    assert read_tensors(path).bytes == size


def test_half_bytes(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "a.safetensors", {"a": tensor("F4", [3, 2], 0, 3)}, 3)
    assert read_tensors(path).tensors[0].bytes == 3


GOOD = {"a": tensor("F32", [2, 2], 0, 16), "b": tensor("BF16", [3], 16, 22)}

LIES: dict[str, tuple[object, int, str]] = {
    "no JSON": (b"{nonsense}", 0, "not valid JSON"),
    "no object": (b"[1, 2]", 0, "no JSON object"),
    "not UTF-8": (b'{"\xff": 1}', 0, "not UTF-8"),
    "deep": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 0, "nested deeper"),
    "twice": (b'{"a": 1, "a": 2}', 0, "twice"),
    "NaN": (b'{"a": NaN}', 0, "finite"),
    "no entry": ({"a": 4}, 0, "must have dtype, shape and data_offsets"),
    "field too many": ({"a": {**tensor("U8", [1], 0, 1), "x": 1}}, 1, "and nothing else"),
    "unknown dtype": ({"a": tensor("F7", [1], 0, 1)}, 1, "has dtype 'F7'; known are"),
    "dtype is a list": ({"a": {**tensor("U8", [1], 0, 1), "dtype": []}}, 1, r"has dtype \[\]"),
    "negative side": ({"a": tensor("U8", [-1], 0, 1)}, 1, "whole numbers from 0"),
    "side no number": ({"a": tensor("U8", [True], 0, 1)}, 1, "whole numbers from 0"),
    "shape no list": ({"a": {**tensor("U8", [1], 0, 1), "shape": 3}}, 1, "has shape 3"),
    "overflow": ({"a": tensor("U8", [2**40, 2**40], 0, 0)}, 0, "larger than any memory"),
    "overflow of a product to zero": ({"a": tensor("U8", [2**32, 2**32], 0, 0)}, 0, "larger than any memory"),
    "many sides": ({"a": tensor("U8", [1] * 40, 0, 1)}, 1, "40 dimensions"),
    "one offset": ({"a": {**tensor("U8", [1], 0, 1), "data_offsets": [1]}}, 1, "give begin and end"),
    "backwards": ({"a": tensor("U8", [1], 1, 0)}, 1, "give begin and end"),
    "too few bytes": ({"a": tensor("F32", [2], 0, 4)}, 4, "takes 8 bytes, but data_offsets say 4"),
    "half a byte": ({"a": tensor("F4", [3], 0, 2)}, 2, r"takes 1\.5 bytes"),
    "overlap": ({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)}, 6, "overlaps the one before"),
    "same place": ({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 0, 4)}, 4, "overlaps the one before"),
    "gap": ({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 5, 9)}, 9, "leaves a gap"),
    "gap at the start": ({"a": tensor("U8", [4], 1, 5)}, 5, "leaves a gap"),
    "cut off": (GOOD, 21, "cut off"),
    "more behind": (GOOD, 23, "something stands behind"),
    "metadata no texts": ({"__metadata__": {"a": 1}, **GOOD}, 22, "__metadata__ must hold texts"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused(name: str, tmp_path: Path) -> None:
    table, data, said = LIES[name]
    with pytest.raises(BadFile, match=said):
        read_tensors(safetensors(tmp_path / "a.safetensors", table, data))


@pytest.mark.parametrize(
    ("length", "said"), [(2**63, "claims a header of"), (100_000_001, "at most 100,000,000"), (5_000, "was cut off")]
)
def test_lengths_of_a_header_that_are_not_there(length: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=said):
        read_tensors(safetensors(tmp_path / "a.safetensors", GOOD, 22, length=length))


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "short.safetensors").write_bytes(b"1234")
    folder = tmp_path / "empty"
    folder.mkdir()
    for name, said in (
        ("short.safetensors", "too few"),
        ("none.safetensors", "not there"),
        ("a\0b", "cannot be opened|not there"),
    ):
        with pytest.raises(BadFile, match=said):
            read_tensors(tmp_path / name)
    with pytest.raises(BadFile, match=r"no \*\.safetensors and no \*\.gguf in this folder"):
        read_tensors(folder)


def sharded(folder: Path, **changes: Any) -> Path:  # noqa: ANN401
    """Two files and an index; `changes` replaces fields of the index."""
    names = list(shapes())
    placed = {name: f"model-0000{1 + (place > 5)}-of-00002.safetensors" for place, name in enumerate(names)}
    for file in set(placed.values()):
        write(folder / file, {name: shape for name, shape in shapes().items() if placed[name] == file})
    total = 4 * sum(_product(shape) for shape in shapes().values())
    index = {"metadata": {"total_size": total}, "weight_map": placed, **changes}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index), encoding="utf-8")
    return path


def _product(shape: list[int]) -> int:
    found = 1
    for side in shape:
        found *= side
    return found


def test_several_files(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    found = read_tensors(index)
    assert {one.name: list(one.shape) for one in found.tensors} == shapes()
    assert found.doubts == ()
    assert len(found.files) == 2
    assert read_tensors(tmp_path) == found
    index.unlink()
    assert {one.name for one in read_tensors(tmp_path).tensors} == set(shapes())
    assert read_tensors(tmp_path).doubts == ()
    one = read_tensors(tmp_path / found.files[0])
    assert one.doubts == (f"{found.files[0]} is one of several files; those beside it are not counted",)


def test_files_that_are_missing_are_said(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    found = read_tensors(index)
    assert len(found.tensors) == 6
    assert "1 of 2 files are missing (the first: model-00002-of-00002.safetensors)" in found.doubts[0]
    assert "bytes in total, of which" in found.doubts[1]
    index.unlink()
    (tmp_path / found.files[0]).rename(tmp_path / "a-00001-of-00009.safetensors")
    write(tmp_path / "a-00002-of-00009.safetensors", {"x": [1]})
    assert read_tensors(tmp_path).doubts == ("7 of 9 files are missing; counted is what is there",)


def test_an_index_alone_is_refused(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    for path in tmp_path.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(BadFile, match="none of the 2 files that it lists is there"):
        read_tensors(index)


@pytest.mark.parametrize(
    ("placed", "said"),
    [
        ({}, "no 'weight_map'"),
        ({"a": 1}, "give the name of a .safetensors file"),
        ({"a": "../model.safetensors"}, "in the same folder"),
        ({"a": "/etc/passwd"}, "in the same folder"),
        ({"nowhere": "model-00001-of-00002.safetensors"}, "'nowhere' is listed in .* but is not in it"),
        (
            {"model.norm.weight": "model-00002-of-00002.safetensors", "x": "model-00001-of-00002.safetensors"},
            "lies in|is not in it",
        ),
    ],
)
def test_an_index_that_lies_is_refused(placed: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=said):
        read_tensors(sharded(tmp_path, weight_map=placed))


def test_a_tensor_in_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a-1.safetensors", {"x": [1]})
    write(tmp_path / "a-2.safetensors", {"x": [1]})
    with pytest.raises(BadFile, match="'x' lies in another of the files too"):
        read_tensors(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"x": "a-1.safetensors", "y": "a-2.safetensors"}}), encoding="utf-8"
    )
    with pytest.raises(BadFile, match=r"'x' lies in two files, one of them a-2\.safetensors"):
        read_tensors(tmp_path)


def test_totals_and_tensors_that_the_index_does_not_have_are_doubts(tmp_path: Path) -> None:
    found = read_tensors(sharded(tmp_path, metadata={"total_size": 7}))
    assert found.doubts == (f"the index says 7 bytes in total, the files hold {found.bytes:,}",)
    placed = {"model.norm.weight": "model-00001-of-00002.safetensors"}
    found = read_tensors(sharded(tmp_path, weight_map=placed, metadata={}))
    assert found.doubts == ("5 tensors lie in the files but are not in the index, so nothing loads them",)


def test_a_config_beside_the_files_is_held_against_them(tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors", shapes())
    with pytest.raises(MissingData, match=r"no config\.json beside the weights"):
        model_of(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    reading, tensors = model_of(tmp_path)
    assert reading.verified
    assert model_of(tmp_path / "model.safetensors") == (reading, tensors)
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA, "num_hidden_layers": 3}), encoding="utf-8")
    reading, _ = model_of(tmp_path)
    assert not reading.verified
    assert reading.doubts == ("the file lists 1,400 numbers in its tensors, the model read from it has 2,056",)


def test_a_tied_head_may_be_stored_again_and_tables_do_not_count(tmp_path: Path) -> None:
    more = {"lm_head.weight": [10, 8], "model.layers.0.self_attn.rotary_emb.inv_freq": [2], "visual.proj.weight": [3]}
    write(tmp_path / "model.safetensors", shapes() | more)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert model_of(tmp_path)[0].verified


def test_a_quantised_file_is_held_against_its_config_by_bytes(tmp_path: Path) -> None:
    config = {
        **LLAMA,
        "torch_dtype": "float32",
        "quantization_config": {"quant_method": "fp8", "weight_block_size": [8, 8]},
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    table, place = {}, 0
    for name, shape in shapes().items():
        one = "_proj" in name
        size = _product(shape) * (1 if one else 4)
        table[name] = tensor("F8_E4M3" if one else "F32", shape, place, place + size)
        place += size
        if one:
            blocks = _product(shape) // 64
            table[f"{name}_scale_inv"] = tensor("F32", [blocks], place, place + 4 * blocks)
            place += 4 * blocks
    safetensors(tmp_path / "model.safetensors", table, place)
    assert model_of(tmp_path)[0].verified
    write(tmp_path / "model.safetensors", shapes())
    assert "the file holds 5,600 bytes, its config makes 1,840" in model_of(tmp_path)[0].doubts[0]
