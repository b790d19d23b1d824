"""Our counts against real parameter tensors: the same fields, built by transformers on torch's meta device.

No weights and no network: a config is made from the fields of our spec. Matmul FLOP are held against torch's own
counter, which multiplies every query with every key: our convention "full-attention".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from isoflop.model import (
    Attention,
    Mlp,
    ModelSpec,
    Moe,
    counts,
    describe,
    forward_flops,
    model,
    model_names,
    preset,
    shape_for,
)
from isoflop.torchmodel.oracle import opinion

if TYPE_CHECKING:
    from collections.abc import Iterator

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

# Families whose configs are built here. All presets are held against printed counts in tests/model.
FAMILIES = ("gpt2", "gpt3", "llama", "mistral", "mixtral", "bert", "roberta", "t5")


def parts(spec: ModelSpec) -> tuple[Attention, Mlp]:
    layer = spec.stack.groups[0].layer
    mlp = layer.mlp.expert if isinstance(layer.mlp, Moe) else layer.mlp
    assert mlp is not None
    (mixer,) = layer.mixers
    assert isinstance(mixer, Attention)
    return mixer, mlp


def gpt2_fields(spec: ModelSpec) -> dict[str, Any]:
    attention, mlp = parts(spec)
    return {
        "model_type": "gpt2",
        "n_layer": spec.layers,
        "n_embd": spec.width,
        "n_head": attention.heads,
        "n_inner": mlp.width,
        "n_positions": spec.embedding.positions,
        "vocab_size": spec.vocabulary,
    }


def llama_fields(spec: ModelSpec) -> dict[str, Any]:
    attention, mlp = parts(spec)
    assert spec.head is not None
    moe = spec.stack.groups[0].layer.mlp
    more = {"num_local_experts": moe.experts, "num_experts_per_tok": moe.active} if isinstance(moe, Moe) else {}
    # Llama's config wants heads that divide the width; Mistral is the same architecture without that wish.
    plain = "llama" if spec.width % attention.heads == 0 else "mistral"
    return {
        "model_type": "mixtral" if more else plain,
        "num_hidden_layers": spec.layers,
        "hidden_size": spec.width,
        "intermediate_size": mlp.width,
        "num_attention_heads": attention.heads,
        "num_key_value_heads": attention.kv_heads,
        "head_dim": attention.head_width,
        "vocab_size": spec.vocabulary,
        "tie_word_embeddings": spec.head.tied,
        "max_position_embeddings": spec.context,
        "sliding_window": None,
        **more,
    }


def bert_fields(spec: ModelSpec) -> dict[str, Any]:
    attention, mlp = parts(spec)
    return {
        "model_type": "roberta" if spec.name.startswith("roberta") else "bert",
        "num_hidden_layers": spec.layers,
        "hidden_size": spec.width,
        "intermediate_size": mlp.width,
        "num_attention_heads": attention.heads,
        "vocab_size": spec.vocabulary,
        "max_position_embeddings": spec.embedding.positions,
        "type_vocab_size": spec.embedding.token_types,
    }


def t5_fields(spec: ModelSpec) -> dict[str, Any]:
    attention, mlp = parts(spec)
    assert spec.encoder is not None
    return {
        "model_type": "t5",
        "num_layers": spec.encoder.layers,
        "num_decoder_layers": spec.stack.layers,
        "d_model": spec.width,
        "d_ff": mlp.width,
        "num_heads": attention.heads,
        "d_kv": attention.head_width,
        "vocab_size": spec.vocabulary,
        "relative_attention_num_buckets": attention.relative_buckets,
        "feed_forward_proj": mlp.activation,
        "use_cache": False,
    }


def built(spec: ModelSpec) -> Any:  # noqa: ANN401 (a class of transformers)
    """The model of `spec` as transformers makes it, without memory behind its tensors."""
    if spec.encoder is not None:
        fields, maker = t5_fields(spec), transformers.AutoModelForSeq2SeqLM
    elif not spec.causal:
        fields, maker = bert_fields(spec), transformers.AutoModel
    else:
        fields = gpt2_fields(spec) if spec.embedding.positions else llama_fields(spec)
        maker = transformers.AutoModelForCausalLM
    config = transformers.AutoConfig.for_model(**fields)
    with torch.device("meta"):
        return maker.from_config(config).eval()


PARTS = [name for name in model_names() if name.startswith(FAMILIES) and preset(name).reading is None]
CONFIGS = [name for name in model_names() if preset(name).reading is not None]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_oracle_counts_every_preset_that_is_a_config_alike(name: str) -> None:
    found = opinion(describe(name))
    assert found.same, found.differing
    assert found.stored == found.ours_stored


@pytest.mark.parametrize("name", PARTS)
def test_every_preset_has_the_parameters_of_the_real_model(name: str) -> None:
    spec = model(name)
    assert counts(spec).params == sum(weight.numel() for weight in built(spec).parameters())


@pytest.mark.parametrize("size", [3e6, 5e7, 4e8, 2.9e9, 7e9, 7e10, 1e12])
def test_a_shape_made_from_a_size_has_the_parameters_of_the_real_model(size: float) -> None:
    spec = shape_for(size)
    assert counts(spec).params == sum(weight.numel() for weight in built(spec).parameters())


@pytest.fixture
def _plain_masks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Skip the search for packed sequences: it looks at values, which meta tensors do not have."""
    if hasattr(transformers, "masking_utils") and hasattr(transformers.masking_utils, "find_packed_sequence_indices"):
        monkeypatch.setattr(transformers.masking_utils, "find_packed_sequence_indices", lambda *_: None)
    return


@pytest.mark.usefixtures("_plain_masks")
@pytest.mark.parametrize(
    "name", ["gpt2", "gpt3-1.3b", "llama-7b", "llama-3.1-8b", "llama-3.2-1b", "bert-base", "roberta-large"]
)
def test_matmul_flops_are_those_that_torch_counts(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    spec, sequence = model(name), 256
    made = built(spec)
    tokens = torch.zeros(1, sequence, dtype=torch.long, device="meta")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        made(input_ids=tokens)
    ours = forward_flops(spec, sequence, convention="full-attention").total * sequence
    assert ours == pytest.approx(counter.get_total_flops(), rel=1e-9)


@pytest.mark.parametrize(("reads", "writes"), [(64, 64), (128, 32)])
@pytest.mark.parametrize("name", ["t5-small", "t5-3b"])
def test_encoder_and_decoder_together_do_what_torch_counts(name: str, reads: int, writes: int) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    spec = model(name)
    made = built(spec)
    inputs = torch.zeros(1, reads, dtype=torch.long, device="meta")
    outputs = torch.zeros(1, writes, dtype=torch.long, device="meta")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        made(input_ids=inputs, decoder_input_ids=outputs)
    per_token = forward_flops(spec, writes, inputs=reads, convention="full-attention").total
    assert per_token * (reads + writes) == pytest.approx(counter.get_total_flops(), rel=1e-9)


def test_experts_that_are_not_used_cost_no_flops() -> None:
    """Counted with the batched implementation of experts: torch does not see the grouped one."""
    from torch.utils.flop_counter import FlopCounterMode

    spec = model("mixtral-8x7b")
    counter = FlopCounterMode(display=False)
    sequence = 32
    made = built(spec)
    if hasattr(made, "set_experts_implementation"):
        made.set_experts_implementation("batched_mm")
    position = torch.arange(sequence, device="meta")[None]
    mask = torch.zeros(1, 1, sequence, sequence, device="meta")
    with counter, torch.no_grad():
        made(
            input_ids=torch.zeros(1, sequence, dtype=torch.long, device="meta"),
            attention_mask=mask,
            position_ids=position,
        )
    ours = forward_flops(spec, sequence, convention="full-attention").total * sequence
    assert ours == pytest.approx(counter.get_total_flops(), rel=1e-9)
