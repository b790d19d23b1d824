"""Headers of GGUF: what the library writes is read, and whatever does not add up is refused."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest
from tests.model.headers.files import entry, gguf, info, text

from isoflop.errors import BadFile
from isoflop.model import counts, state_elements
from isoflop.model.headers import Many, model_of, read_tensors
from isoflop.model.headers.gguf import TYPES

ARCHITECTURE = entry("general.architecture", 8, text("llama"))


def test_types_are_those_of_the_library() -> None:
    library = pytest.importorskip("gguf")
    theirs = {kind.value: (kind.name, *sizes) for kind, sizes in library.GGML_QUANT_SIZES.items()}
    assert theirs.items() <= dict(TYPES).items()


@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_what_the_library_writes_is_read(order: str, tmp_path: Path) -> None:
    library = pytest.importorskip("gguf")
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "model.gguf"
    writer = library.GGUFWriter(path, "llama", endianess=getattr(library.GGUFEndian, order))
    writer.add_block_count(2)
    writer.add_string("a.template", "x" * 20_000)
    writer.add_array("a.words", [f"word {number}" for number in range(50_000)])
    writer.add_array("a.short", [1, 2, 3])
    writer.add_array("a.long", list(range(5_000)))
    writer.add_float32("a.float", 1.5)
    writer.add_bool("a.flag", val=True)
    writer.add_int64("a.int", -5)
    meant = {}
    for kind, (block, size) in library.GGML_QUANT_SIZES.items():
        if block > 1:
            writer.add_tensor(kind.name, numpy.zeros((3, 2 * size), numpy.uint8), raw_dtype=kind)
            meant[kind.name] = (kind.name, (3, 2 * block), 6 * size)
    writer.add_tensor("plain", numpy.zeros((2, 3, 5), numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = read_tensors(path)
    listed = {one.name: (one.dtype, one.shape, one.bytes) for one in found.tensors}
    assert listed == {**meant, "plain": ("F32", (2, 3, 5), 120)}
    assert found.metadata == {
        "general.architecture": "llama", "llama.block_count": 2, "a.template": Many(20_000), "a.words": Many(50_000),
        "a.short": [1, 2, 3], "a.long": Many(5_000), "a.float": 1.5, "a.flag": True, "a.int": -5,
    }  # fmt: skip
    assert found.doubts == ()


def test_a_file_of_half_a_terabyte_costs_its_header(tmp_path: Path) -> None:
    size = 500 * 10**9
    path = gguf(tmp_path / "a.gguf", [ARCHITECTURE], [info("a", [size], 24, 0)])
    os.truncate(path, path.stat().st_size + size)
    assert read_tensors(path).bytes == size


def listing(kind: int, count: int, data: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + data


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "tensors without end": ({"counts": (2**60, 0)}, "claims 1,152,921,504,606,846,976 tensors"),
    "entries without end": ({"counts": (0, 2**60)}, "entries of metadata"),
    "tensors that are not there": ({"counts": (3, 0), "data": 32}, "claims 3 tensors"),
    "version 1": ({"version": 1}, "version 1; versions 2 and 3"),
    "version 0": ({"version": 0}, "version 0; versions 2 and 3"),
    "key without end": ({"entries": [struct.pack("<Q", 2**62)], "data": 64}, "a key of"),
    "key not UTF-8": ({"entries": [struct.pack("<Q", 2) + b"\xff\xff" + bytes(8)]}, "a key is not UTF-8"),
    "key twice": ({"entries": [ARCHITECTURE, ARCHITECTURE]}, "twice"),
    "text without end": ({"entries": [entry("a", 8, struct.pack("<Q", 2**62))]}, "beyond the end"),
    "unknown type of value": ({"entries": [entry("a", 13, bytes(8))]}, "of type 13"),
    "list without end": ({"entries": [entry("a", 9, listing(0, 2**60))]}, "claims a list of"),
    "list of texts without end": ({"entries": [entry("a", 9, listing(8, 2**60))]}, "claims a list of"),
    "text in a list without end": (
        {"entries": [entry("a", 9, listing(8, 1, struct.pack("<Q", 2**63)))]},
        "list of texts goes on beyond the end",
    ),
    "lists in lists": ({"entries": [entry("a", 9, listing(9, 1) * 5)], "data": 64}, "nested deeper than 2"),
    "list of unknown type": ({"entries": [entry("a", 9, listing(77, 1, bytes(8)))]}, "of type 77"),
    "five dimensions": ({"infos": [info("a", [1] * 5, 0, 0)]}, "has 5 dimensions"),
    "dimensions without end": ({"infos": [text("a") + struct.pack("<I", 2**31)], "data": 64}, "GGUF has 4"),
    "unknown type": ({"infos": [info("a", [32], 99, 0)]}, "of type 99"),
    "given up type": ({"infos": [info("a", [32], 4, 0)]}, "was given up"),
    "overflow": ({"infos": [info("a", [2**40, 2**40], 0, 0)]}, "larger than any memory"),
    "broken block": ({"infos": [info("a", [33], 2, 0)], "data": 64}, "33 do not divide into Q4_0's blocks of 32"),
    "a number in blocks": ({"infos": [info("a", [], 2, 0)], "data": 32}, "rows of 1 do not divide"),
    "same name": ({"infos": [info("a", [8], 0, 0), info("a", [8], 0, 32)], "data": 64}, "the same name"),
    "overlap": ({"infos": [info("a", [16], 0, 0), info("b", [8], 0, 32)], "data": 96}, "overlaps"),
    "gap": ({"infos": [info("a", [8], 0, 0), info("b", [8], 0, 64)], "data": 96}, "leaves a gap"),
    "not aligned": ({"infos": [info("a", [9], 0, 0), info("b", [8], 0, 36)], "data": 96}, "overlaps"),
    "cut off": ({"infos": [info("a", [8], 0, 0)], "data": 31}, "cut off"),
    "no data": ({"infos": [info("a", [8], 0, 0)]}, "cut off"),
    "more behind": ({"infos": [info("a", [8], 0, 0)], "data": 64}, "32 bytes stand behind the tensors"),
    "alignment no number": (
        {"entries": [entry("general.alignment", 8, text("x"))], "infos": [info("a", [8], 0, 0)], "data": 32},
        "general.alignment is 'x'",
    ),
    "alignment 0": (
        {"entries": [entry("general.alignment", 4, bytes(4))], "infos": [info("a", [8], 0, 0)], "data": 32},
        "general.alignment is 0",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused(name: str, tmp_path: Path) -> None:
    made, said = LIES[name]
    with pytest.raises(BadFile, match=said):
        read_tensors(gguf(tmp_path / "a.gguf", **{"entries": [], "infos": [], **made}))


def test_what_is_no_gguf(tmp_path: Path) -> None:
    for name, data in (("a.gguf", b"GGUF"), ("b.gguf", b"GGML" + bytes(60))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadFile, match="no GGUF file"):
            read_tensors(tmp_path / name)


def parts(folder: Path, number: int, count: int, infos: list[bytes], data: int) -> Path:
    entries = [ARCHITECTURE] if number == 1 else []
    entries += [
        entry("split.no", 2, struct.pack("<H", number - 1)),
        entry("split.count", 2, struct.pack("<H", count)),
        entry("split.tensors.count", 5, struct.pack("<i", 3)),
    ]
    return gguf(folder / f"m-{number:05}-of-{count:05}.gguf", entries, infos, data)


def test_several_files(tmp_path: Path) -> None:
    first = parts(tmp_path, 1, 3, [], 0)
    parts(tmp_path, 2, 3, [info("a", [8], 0, 0)], 32)
    assert read_tensors(first).doubts == ("1 of 3 files are missing; counted is what is there",)
    parts(tmp_path, 3, 3, [info("b", [8], 0, 0), info("c", [8], 0, 32)], 64)
    found = read_tensors(first)
    assert [one.name for one in found.tensors] == ["a", "b", "c"]
    assert found.doubts == ()
    assert read_tensors(tmp_path) == found
    parts(tmp_path, 3, 3, [info("b", [8], 0, 0)], 32)
    assert read_tensors(first).doubts == ("the files say 3 tensors in total, but hold 2",)
    parts(tmp_path, 3, 3, [info("a", [8], 0, 0)], 32)
    with pytest.raises(BadFile, match="'a' lies in two files"):
        read_tensors(first)
    lone = first.rename(tmp_path / "other.gguf")
    assert "its name does not say where the others are" in read_tensors(lone).doubts[0]


def number(key: str, value: int) -> bytes:
    return entry(key, 4, struct.pack("<I", value))


def numbers(key: str, values: list[int]) -> bytes:
    return entry(key, 9, listing(5, len(values), struct.pack(f"<{len(values)}i", *values)))


def model_file(path: Path, kv: list[int], *, entries: tuple[bytes, ...] = (), width: int = 32) -> Path:
    """A Llama of width 32 with 4 heads, and so many key-value heads by layer."""
    meta = [
        ARCHITECTURE,
        entry("general.name", 8, text("Small")),
        number("llama.block_count", len(kv)),
        number("llama.context_length", 64),
        number("llama.embedding_length", width),
        number("llama.feed_forward_length", 64),
        number("llama.attention.head_count", 4),
        numbers("llama.attention.head_count_kv", kv),
        *entries,
    ]
    shapes = [("token_embd.weight", [width, 100]), ("output_norm.weight", [width])]
    for layer, heads in enumerate(kv):
        inner = heads * 8
        shapes += [
            (f"blk.{layer}.{name}.weight", shape)
            for name, shape in (
                ("attn_q", [width, 32]), ("attn_k", [width, inner]), ("attn_v", [width, inner]),
                ("attn_output", [32, width]), ("ffn_gate", [width, 64]), ("ffn_up", [width, 64]),
                ("ffn_down", [64, width]), ("attn_norm", [width]), ("ffn_norm", [width]),
            )
        ]  # fmt: skip
    infos, place = [], 0
    for name, shape in [*shapes, ("rope_freqs.weight", [4])]:
        infos.append(info(name, shape, 0, place))
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        place += size + -size % 32
    return gguf(path, meta, infos, place)


def test_key_value_heads_by_layer(tmp_path: Path) -> None:
    reading, tensors = model_of(model_file(tmp_path / "a.gguf", [4, 1, 1, 2]))
    assert reading.verified, reading.doubts
    assert reading.spec.name == "Small"
    assert counts(reading.spec).params == tensors.numbers - 4
    assert [(times, one.kv_heads) for times, one in reading.spec.stack.attentions()] == [(1, 4), (2, 1), (1, 2)]
    assert state_elements(reading.spec, 10)["kv"] == 10 * 2 * 8 * (4 + 1 + 1 + 2)


def test_what_the_metadata_says_else_is_a_doubt(tmp_path: Path) -> None:
    path = model_file(tmp_path / "a.gguf", [2, 2], entries=(number("llama.strange_thing", 3),))
    reading, _ = model_of(path)
    assert reading.doubts == ("not understood in the metadata: strange_thing",)
    assert not reading.verified


def test_tensors_that_contradict_the_metadata_are_a_doubt(tmp_path: Path) -> None:
    path = model_file(tmp_path / "a.gguf", [2, 2])
    data = path.read_bytes()
    key = text("llama.feed_forward_length") + struct.pack("<I", 4)
    path.write_bytes(data.replace(key + struct.pack("<I", 64), key + struct.pack("<I", 65)))
    reading, _ = model_of(path)
    assert reading.doubts == ("the file lists 21,792 numbers in its tensors, the model read from it has 21,984",)


def test_lists_by_layer_of_another_length_are_refused(tmp_path: Path) -> None:
    path = model_file(tmp_path / "a.gguf", [2, 2], entries=(numbers("llama.attention.head_count", [4]),))
    with pytest.raises(BadFile, match="twice"):
        model_of(path)
    path = gguf(
        tmp_path / "b.gguf",
        [ARCHITECTURE, number("llama.block_count", 3), numbers("llama.feed_forward_length", [1])],
        [],
    )
    with pytest.raises(BadFile, match="lists by layer are not as long as there are blocks"):
        model_of(path)


def test_an_unknown_architecture_is_a_doubt_and_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"no text 'general\.architecture'"):
        model_of(gguf(tmp_path / "a.gguf", [], []))
    path = model_file(tmp_path / "b.gguf", [2])
    path.write_bytes(path.read_bytes().replace(b"llama", b"lhama"))
    reading, _ = model_of(path)
    assert not reading.verified
    assert reading.doubts[0].startswith("model_type 'lhama' is not known")
