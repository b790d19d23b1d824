"""What a decoder's shape is: a few widths, the same thing as a `ModelSpec` of equal layers, in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.model import Attention, Embedding, Group, Head, Layer, Mlp, ModelSpec, Norm, Stack

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Layers and widths of a decoder; `inner` is that of a feed-forward part, `tied` one matrix at both ends."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    inner: int
    vocabulary: int
    tied: bool = False

    @property
    def params(self) -> int:
        """Parameters, all."""
        attention = 2 * self.width * self.head_width * (self.heads + self.kv_heads)
        layer = attention + 3 * self.width * self.inner + 2 * self.width
        return self.layers * layer + self.width + self.vocabulary * self.width * (1 if self.tied else 2)


def spec_of(shape: Shape, name: str, *, context: int | None = None) -> ModelSpec:
    """The shape as a model: what every count of the package is made from."""
    norm = Norm(kind="rms")
    layer = Layer(
        mixers=(Attention(heads=shape.heads, kv_heads=shape.kv_heads, head_width=shape.head_width, positions="rope"),),
        mlp=Mlp(width=shape.inner, gated=True, activation="silu"),
        norms=(norm, norm),
    )
    return ModelSpec(
        name=name,
        embedding=Embedding(vocabulary=shape.vocabulary),
        stack=Stack(groups=(Group(shape.layers, layer),), width=shape.width, norm=norm),
        head=Head(tied=shape.tied),
        context=context,
    )


def shape_of(spec: ModelSpec) -> Shape:
    """The shape of a model that is a decoder of equal layers like Llama's.

    Raises: BadInput where it is anything else; the message names the first part that differs.
    """
    first = spec.stack.groups[0].layer
    mixer = first.mixers[0] if first.mixers else None
    if not isinstance(mixer, Attention) or not isinstance(first.mlp, Mlp) or mixer.head_width % 2:
        raise BadInput(
            f"{spec.name} cannot be built: only attention with heads of even width over gated feed-forward parts can."
        )
    shape = Shape(
        layers=spec.stack.layers,
        width=spec.width,
        heads=mixer.heads,
        kv_heads=mixer.kv_heads,
        head_width=mixer.head_width,
        inner=first.mlp.width,
        vocabulary=spec.vocabulary,
        tied=spec.head is not None and spec.head.tied,
    )
    same = spec_of(shape, spec.name, context=spec.context)
    parts = {"layers": "stack", "embedding": "embedding", "head": "head", "encoder": "encoder", "extras": "extras"}
    for said, field in parts.items():
        if getattr(spec, field) != getattr(same, field):
            raise BadInput(
                f"{spec.name} cannot be built: its {said} are not those of a decoder of equal layers like Llama's (RMS"
                " norms, rotary positions, gated SiLU, no biases, no windows)."
            )
    return shape


def config_of(shape: Shape, *, context: int, dtype: str = "float32") -> Mapping[str, object]:
    """The fields of a Hugging Face config.json (model_type llama) that describe the same decoder."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_width,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": context,
        "tie_word_embeddings": shape.tied,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "initializer_range": 0.02,
        "bos_token_id": None,
        "eos_token_id": None,
        "torch_dtype": dtype,
    }


_OUTER = {
    "embedding.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
_INNER = {
    "before": "input_layernorm",
    "after": "post_attention_layernorm",
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


def published_name(name: str) -> str:
    """What a tensor of the decoder is called in a Llama checkpoint.

    >>> published_name("layers.3.q.weight")
    'model.layers.3.self_attn.q_proj.weight'
    """
    if name in _OUTER:
        return _OUTER[name]
    _, number, part, kind = name.split(".")
    return f"model.layers.{number}.{_INNER[part]}.{kind}"
