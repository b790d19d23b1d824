"""The model that Megatron's flags describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput
from isoflop.model.parts import Attention, Embedding, Head, LatentAttention, Mlp, Moe, Norm
from isoflop.model.spec import Layer, ModelSpec, Stack, groups_of

if TYPE_CHECKING:
    from isoflop.model.parts import Mixer
    from isoflop.training.readers.keys import Keys

GPT2_VOCABULARY = 50_257
GATED = ("swiglu", "fast-swiglu", "geglu", "reglu")


def model_of(keys: Keys, tp: int) -> ModelSpec | None:
    """The model; None where the flags give no shape. The vocabulary is padded for `tp` ranks, as Megatron does."""
    layers, width, heads = (keys.whole(name) for name in ("num-layers", "hidden-size", "num-attention-heads"))
    vocabulary = _vocabulary(keys, tp)
    if not (layers and width and heads):
        return None
    try:
        return _model(keys, layers, width, heads, vocabulary)
    except BadFile:
        raise
    except BadInput as error:
        raise BadFile(f"{keys.file}: {error}") from error


def _vocabulary(keys: Keys, tp: int) -> int:
    given = keys.whole("padded-vocab-size")
    size = keys.whole("vocab-size") or GPT2_VOCABULARY
    step = (keys.whole("make-vocab-size-divisible-by") or 128) * tp
    return given or -(-size // step) * step


def _model(keys: Keys, layers: int, width: int, heads: int, vocabulary: int) -> ModelSpec:
    given = keys.flag("add-bias-linear", "bias")
    biased = given is not False and not keys.flag("disable-bias-linear")
    rms = keys.word("normalization") == "rmsnorm"
    norm = Norm(kind="rms" if rms else "layer", bias=not rms)
    gated = any([keys.flag(name) for name in GATED]) or keys.word("activation") in GATED  # noqa: C419 - each is read
    gated = gated or bool(keys.flag("gated-linear-unit"))
    ffn = keys.whole("ffn-hidden-size") or (int(width * 8 / 3 / 64) * 64 if gated else 4 * width)
    mlp = Mlp(width=ffn, gated=gated, activation="silu" if gated else "gelu", bias=biased)
    mixer = _mixer(keys, width, heads, biased=biased)
    absolute = (keys.word("position-embedding-type") or "learned_absolute").startswith("learned")
    context = keys.whole("max-position-embeddings")
    every = [
        Layer(norms=(norm, norm), mixers=(mixer,), mlp=moe or mlp)
        for moe in _mixtures(keys, layers, ffn, gated, biased)
    ]
    further = keys.whole("mtp-num-layers", least=0) or 0
    tied = not keys.flag("untie-embeddings-and-output-weights")
    if keys.has("share-embeddings-and-output-weights"):
        tied = bool(keys.flag("share-embeddings-and-output-weights"))
    return ModelSpec(
        name="model",
        stack=Stack(width=width, groups=groups_of([*every, *[every[-1]] * further]), norm=norm),
        embedding=Embedding(vocabulary=vocabulary, positions=(context or 0) if absolute else 0),
        head=Head(tied=tied),
        context=context,
        source=keys.file,
    )


def _mixer(keys: Keys, width: int, heads: int, *, biased: bool) -> Mixer:
    if keys.flag("multi-latent-attention"):
        return LatentAttention(
            heads=heads,
            q_rank=keys.whole("q-lora-rank"),
            kv_rank=keys.whole("kv-lora-rank") or 512,
            nope_width=keys.whole("qk-head-dim") or 128,
            rope_width=keys.whole("qk-pos-emb-head-dim") or 64,
            value_width=keys.whole("v-head-dim") or 128,
            norms=bool(keys.flag("qk-layernorm")),
            bias=biased,
        )
    each = keys.whole("kv-channels")
    if each is None and width % heads:
        raise BadFile(f"{keys.file}: num-attention-heads = {heads} does not divide hidden-size = {width}.")
    grouped = keys.flag("group-query-attention")
    queries = keys.whole("num-query-groups")
    return Attention(
        heads=heads,
        kv_heads=queries if queries and (grouped or keys.written) else heads,
        head_width=each or width // heads,
        bias="qkvo" if biased else "qkv" if keys.flag("add-qkv-bias") else "",
        qk_norm="head" if keys.flag("qk-layernorm") else "none",
    )


def _mixtures(keys: Keys, layers: int, ffn: int, gated: bool, biased: bool) -> list[Moe | None]:  # noqa: FBT001 - two facts
    """The mixture of each layer, None for those without experts."""
    experts = keys.whole("num-experts", "num-moe-experts")
    width = keys.whole("moe-ffn-hidden-size") or ffn
    active = keys.whole("moe-router-topk") or 2
    shared = keys.whole("moe-shared-expert-intermediate-size")
    which = keys.get("moe-layer-freq")
    if not experts:
        return [None] * layers
    moe = Moe(
        experts=experts,
        active=active,
        expert=Mlp(width=width, gated=gated, activation="silu" if gated else "gelu", bias=biased),
        shared=Mlp(width=shared, gated=gated, activation="silu" if gated else "gelu", bias=biased) if shared else None,
    )
    return [moe if there else None for there in _pattern(keys, which, layers)]


def _pattern(keys: Keys, which: object, layers: int) -> list[bool]:
    """Which layers have experts: every n-th, or a list like ([0]*3+[1]*58)."""
    import re

    if which is None:
        return [True] * layers
    text = re.sub(r"\s", "", "".join(map(str, which)) if isinstance(which, list) else str(which))
    if isinstance(which, list) and all(str(one) in {"0", "1"} for one in which):
        found = [str(one) == "1" for one in which]
    elif text.isdigit() and int(text):
        found = [place % int(text) == 0 for place in range(layers)]
    else:
        pieces = re.findall(r"\[([01](?:,[01])*)\](?:\*(\d{1,4}))?", text)
        if not pieces or re.sub(r"\[[01](?:,[01])*\](?:\*\d{1,4})?|[()+]", "", text):
            raise keys.wrong(("moe-layer-freq",), which, "a number, or a list like ([0]*3+[1]*58)")
        found = [one == "1" for listed, times in pieces for one in listed.split(",") * int(times or 1)]
    if len(found) != layers:
        raise keys.wrong(("moe-layer-freq",), which, f"as many entries as num-layers = {layers}")
    return found
