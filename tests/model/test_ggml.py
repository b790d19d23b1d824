"""Bytes of llama.cpp's mixes against files that were printed by others."""

from __future__ import annotations

import pytest

from isoflop.errors import UnknownName
from isoflop.model import model
from isoflop.model.storage.ggml import BLOCK_BITS, file_scheme, ggml_scheme, is_ggml
from isoflop.model.weight_bytes import weight_bytes


# "model size" as llama.cpp prints it at start-up: issues 357, 389, 230, 286 and 235 of ikawrakow/ik_llama.cpp.
@pytest.mark.parametrize(
    ("name", "mix", "gib"),
    [
        ("qwen3-235b-a22b", "Q8_0", 232.769),
        ("qwen3-235b-a22b", "Q4_K - Medium", 132.386),
        ("deepseek-v3", "Q8_0", 665.308),
        ("deepseek-v3", "Q4_K - Medium", 376.650),
        ("deepseek-v3", "Q2_K - Medium", 227.689),
    ],
)
def test_a_mix_weighs_what_the_file_does(name: str, mix: str, gib: float) -> None:
    spec = model(name)
    assert weight_bytes(spec, ggml_scheme(spec, mix)).total / 2**30 == pytest.approx(gib, rel=0.005)


def test_bits_are_bytes_of_a_block_over_its_elements() -> None:
    from isoflop.model.headers.gguf import TYPES

    known = {name.lower(): 8 * size / elements for name, elements, size in TYPES.values()}
    assert {name: bits for name, bits in BLOCK_BITS.items() if known.get(name, bits) != bits} == {}
    assert set(BLOCK_BITS) <= set(known)


def test_finer_mixes_weigh_more() -> None:
    spec = model("llama-3-8b")
    order = ["q2_k", "q3_k_m", "q4_k_s", "q4_k_m", "q5_k_m", "q6_k", "q8_0", "f16"]
    sizes = [weight_bytes(spec, ggml_scheme(spec, mix)).total for mix in order]
    assert sizes == sorted(sizes)


def test_rows_that_are_no_multiple_of_256_fall_back() -> None:
    spec = model("qwen2.5-0.5b")  # 896 wide
    held = weight_bytes(spec, ggml_scheme(spec, "q4_k_m")).total
    assert held > 0.65 * spec_params(spec)


def spec_params(spec: object) -> float:
    from isoflop.model import counts
    from isoflop.model.spec import ModelSpec

    assert isinstance(spec, ModelSpec)
    return float(counts(spec).params)


def test_what_is_a_mix() -> None:
    assert is_ggml("Q4_K - Medium")
    assert is_ggml("IQ4_K_R4 - 4.5 bpw")
    assert not is_ggml("fp8")
    with pytest.raises(UnknownName, match="q4_k_m"):
        ggml_scheme(model("llama-3-8b"), "q4_k_n")


def test_a_file_weighs_what_its_header_says() -> None:
    spec = model("llama-3-8b")
    scheme = file_scheme(4_920_733_888, int(spec_params(spec)), "as in the file")
    assert weight_bytes(spec, scheme).total == pytest.approx(4_920_733_888, rel=1e-9)
