"""Whatever bytes a file of weights holds: it is read or refused as a bad file, quickly and in little memory."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.model.headers.files import entry, gguf, info, safetensors, text

from isoflop.errors import BadFile, MissingData
from isoflop.model.headers import model_of, read_tensors

FOLDER = Path(tempfile.mkdtemp(prefix="isoflop-headers-"))
MOST_MEMORY = 20_000_000

GGUF = gguf(
    FOLDER / "seed.gguf",
    [
        entry("general.architecture", 8, text("llama")),
        entry("llama.block_count", 4, b"\2\0\0\0"),
        entry("a", 9, b"\5\0\0\0\2" + bytes(15)),
    ],
    [info("token_embd.weight", [32, 4], 8, 0), info("b", [8], 0, 160)],
    192,
).read_bytes()
SAFETENSORS = safetensors(
    FOLDER / "seed.safetensors",
    {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"x": "y"}},
    8,
).read_bytes()


def settled(path: Path) -> None:
    """Read, or refused for what it is."""
    tracemalloc.start()
    try:
        read_tensors(path)
        model_of(path)
    except (BadFile, MissingData):
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MOST_MEMORY


def written(name: str, data: bytes) -> Path:
    path = FOLDER / name
    path.write_bytes(data)
    return path


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"GGUF\3\0\0\0", b"GGUF\0\0\0\3", b"GGUF\2\0\0\0"]))
def test_any_bytes(data: bytes, start: bytes) -> None:
    settled(written("a.gguf", start + data))
    settled(written("a.safetensors", data))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["gguf", "safetensors"]), st.integers(0, 400), st.binary(min_size=1, max_size=8), st.booleans())
def test_any_bytes_in_a_good_file(kind: str, place: int, data: bytes, replace: object) -> None:
    seed = GGUF if kind == "gguf" else SAFETENSORS
    place %= len(seed)
    settled(written(f"a.{kind}", seed[:place] + data + seed[place + (len(data) if replace else 0) :]))


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["dtype", "shape", "data_offsets", "a", "__metadata__"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_header(table: object) -> None:
    settled(safetensors(FOLDER / "b.safetensors", json.dumps(table).encode(), 4))
