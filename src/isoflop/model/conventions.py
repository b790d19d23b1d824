"""FLOP of training a token as publications count them, so that their TFLOP/s can be held against times.

Each is a convention of its source, named after it, never ours: `model.flops` counts what is really multiplied. Figures
of two conventions are not comparable: 12 % lie between the first two at 8,192 tokens for Llama 3 8B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadInput, UnknownName
from isoflop.model.count import counts
from isoflop.model.flops import check_tokens, train_flops_per_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.model.spec import ModelSpec


def megatron_bridge(model: ModelSpec, sequence: float) -> float:
    """Products with the output layer, causal attention halved: Megatron-Bridge from 25.09 on, NeMo Automodel.

    The same as `model.flops`' convention "model". Rows of LoRA are two thirds of it.
    """
    return train_flops_per_token(model, sequence, convention="model").total


def nemo(model: ModelSpec, sequence: float) -> float:
    """Products with the output layer, attention over the whole square: NeMo up to 25.04, dgxc-benchmarking."""
    return train_flops_per_token(model, sequence, convention="full-attention").total


def llm_foundry(model: ModelSpec, sequence: float) -> float:
    """6 times all parameters, embeddings too, and 12 x layers x width x sequence: MosaicML's llm-foundry."""
    return 6.0 * counts(model).params + 12.0 * model.layers * model.width * sequence


def narayanan2021(model: ModelSpec, sequence: float) -> float:
    """96 s L h^2 (1 + s/6h + V/16Lh) a sequence: hardware FLOP with everything computed again [narayanan2021 3.2].

    Of plain GPT layers with a feed-forward part of four times the width.
    """
    return _gpt(model, sequence, passes=4, logits=16)


def korthikanti2022(model: ModelSpec, sequence: float) -> float:
    """72 s L h^2 (1 + s/6h + V/12Lh) a sequence: the same without what is computed again [korthikanti2022 6]."""
    return _gpt(model, sequence, passes=3, logits=12)


def _gpt(model: ModelSpec, sequence: float, *, passes: int, logits: int) -> float:
    layers, width = model.layers, model.width
    each = 24.0 * passes * layers * width**2
    return each * (1 + sequence / (6 * width) + model.vocabulary / (logits * layers * width))


PUBLISHED: dict[str, Callable[[ModelSpec, float], float]] = {
    "megatron-bridge": megatron_bridge,
    "nemo": nemo,
    "llm-foundry": llm_foundry,
    "narayanan2021": narayanan2021,
    "korthikanti2022": korthikanti2022,
}
"""Conventions by name."""


def published_flops_per_token(model: ModelSpec, sequence: float, convention: str) -> float:
    """FLOP of training a token of a sequence of `sequence` tokens, as a publication counts them.

    >>> from isoflop.model import model
    >>> round(published_flops_per_token(model("llama-3-8b"), 8192, "nemo") / 1e9, 1)
    57.9
    """
    if convention not in PUBLISHED:
        raise UnknownName("published FLOP convention", convention, PUBLISHED)
    check_tokens(sequence, "sequence")
    if model.encoder is not None:
        raise BadInput(f"{model.name}: published conventions are of decoders; use isoflop.model.train_flops_per_token")
    return PUBLISHED[convention](model, sequence)
