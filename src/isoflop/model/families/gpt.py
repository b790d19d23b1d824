"""GPT 1 and 2 and what follows their names of fields: GPT-J, CodeGen, GPT-Neo, StarCoder, CTRL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, as_always, decoder, layer_count, plain, width
from isoflop.model.families.common_classic import decoder_beside, multi_head, two_norms
from isoflop.model.parts import Embedding, Mlp
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention
    from isoflop.model.spec import ModelSpec


def gpt2(fields: Fields) -> ModelSpec:
    """Biases everywhere, learned positions, norms before."""
    return _learned(fields, multi_head(fields), _inner(fields, "n_inner"))


def openai_gpt(fields: Fields) -> ModelSpec:
    """GPT 1: norms behind, none at the end, and a feed-forward part of four widths."""
    as_always(fields, n_special=0)
    fields.ignore("predict_special_tokens")
    mlp = Mlp(width=4 * width(fields), gated=False, activation="gelu", bias=True)
    fields.ignore("afn")  # a choice of three functions, none of which has weights
    layer = two_norms(multi_head(fields), mlp)
    return decoder(fields, [layer] * layer_count(fields), tied=True, norm=None, positions=_positions(fields))


def gpt_bigcode(fields: Fields) -> ModelSpec:
    """StarCoder 1 and SantaCoder: GPT 2 with one key and value for all heads."""
    fields.ignore("num_key_value_heads", "inference_runner", "pad_key_length", "pre_allocate_kv_cache")
    fields.ignore("validate_runner_input", "max_sequence_length", "max_batch_size")
    shared = fields.flag("multi_query", default=True)
    return _learned(fields, multi_head(fields, kv_heads=1 if shared else None), _inner(fields, "n_inner"))


def gptj(fields: Fields) -> ModelSpec:
    """GPT-J and CodeGen: one norm for both parts, no biases in attention, one on the head."""
    _positions(fields)
    as_always(fields, jax=True, rotary=True)
    fields.drop("n_ctx")
    mixer = multi_head(fields, bias="", positions="rope")
    layer = Layer(norms=(LAYER_NORM,), mixers=(mixer,), mlp=_inner(fields, "n_inner"), parallel=True)
    return decoder(fields, [layer] * layer_count(fields), tied=False, norm=LAYER_NORM, head_bias=True)


def gpt_neo(fields: Fields) -> ModelSpec:
    """Every second layer sees a window; no biases on queries, keys and values."""
    layers = layer_count(fields)
    mixer = multi_head(fields, "num_heads", "num_attention_heads", bias="o")
    whole = two_norms(mixer, _inner(fields, "intermediate_size"))
    near = replace(whole, mixers=(replace(mixer, window=fields.count("window_size")),))
    kinds = [near if kind == "local" else whole for kind in _kinds(fields, layers)]
    positions = fields.count("max_position_embeddings")
    return decoder(fields, kinds, tied=True, norm=LAYER_NORM, positions=positions)


def ctrl(fields: Fields) -> ModelSpec:
    """Sinusoidal positions, a bias on the head."""
    mlp = Mlp(width=fields.count("dff"), gated=False, activation="relu", bias=True)
    fields.ignore("from_tf", "attn_pdrop", "output_past")
    layer = two_norms(multi_head(fields), mlp)
    return decoder(fields, [layer] * layer_count(fields), tied=True, norm=LAYER_NORM, head_bias=True)


def _inner(fields: Fields, name: str) -> Mlp:
    return plain(fields, name, bias=True, default=4 * width(fields), act="gelu_new")


def _positions(fields: Fields) -> int:
    fields.ignore("_num_labels", "output_past", "gradient_checkpointing")
    return fields.count("n_positions", "max_position_embeddings")


def _learned(fields: Fields, mixer: Attention, mlp: Mlp) -> ModelSpec:
    table = Embedding(vocabulary=fields.count("vocab_size"), positions=_positions(fields))
    return decoder_beside(fields, two_norms(mixer, mlp), layer_count(fields), table)


def _kinds(fields: Fields, layers: int) -> tuple[str, ...]:
    """Kind of each layer, from a list of them or from one of (kinds, times) in its place."""
    listed = fields.words("attention_layers", length=layers)
    if listed is None:
        listed = _repeated(fields, fields.values.get("attention_types"), layers)
    fields.ignore("attention_types")
    if unknown := set(listed) - {"global", "local"}:
        fields.doubt(f"attention_layers holds {', '.join(sorted(unknown))}, which is not known here")
    return listed


def _repeated(fields: Fields, given: object, layers: int) -> tuple[str, ...]:
    found: list[str] = []
    for one in [[["global", "local"], layers // 2]] if given is None else given if isinstance(given, list) else [0]:
        match one:
            case [[*kinds], int(times)] if 0 <= times <= layers and all(isinstance(kind, str) for kind in kinds):
                found += [str(kind) for kind in kinds] * times
            case _:
                raise fields.wrong("attention_types", given, 'a list like [[["global", "local"], 12]]')
    if len(found) != layers:
        raise fields.wrong("attention_types", given, f"kinds of {layers} layers")
    return tuple(found)


READS = {
    "codegen": gptj,
    "ctrl": ctrl,
    "gpt-sw3": gpt2,
    "gpt2": gpt2,
    "gpt_bigcode": gpt_bigcode,
    "gpt_neo": gpt_neo,
    "gptj": gptj,
    "openai-gpt": openai_gpt,
}
