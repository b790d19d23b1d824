"""Bytes: the state of training, the rule of thumb, activations, the key-value cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.relation import relation

if TYPE_CHECKING:
    from isoflop.quantity import Real


@relation
def weight_bytes(params: Real, weight_bytes_per_param: Real = 2.0) -> Real:
    """Memory of the weights in the data type that work is done in.

    4 bytes each for FP32, 2 for FP16 and BF16, 1 for INT8 and FP8. Neglects: scales of quantized weights (one FP16
    for 128 INT8 weights: 1.6 %).
    Source: [micikevicius2017 §3]
    >>> weight_bytes(1e9, 4) / 1e9  # a billion parameters in FP32
    4.0
    """
    return params * weight_bytes_per_param


@relation
def gradient_bytes(params: Real, gradient_bytes_per_param: Real = 2.0) -> Real:
    """Memory of the gradients; 4 bytes where they are summed in FP32.

    Neglects: buckets of the communication library (up to a second copy in flight).
    Source: [rajbhandari2020 §3.1]
    >>> gradient_bytes(1e9) / 1e9
    2.0
    """
    return params * gradient_bytes_per_param


@relation
def master_bytes(params: Real, master_bytes_per_param: Real = 4.0) -> Real:
    """Memory of the FP32 copies that the optimizer updates in mixed precision.

    Neglects: nothing. Training in plain FP32 keeps no such copy.
    Source: [micikevicius2017 §3.1]
    >>> master_bytes(1e9) / 1e9
    4.0
    """
    return params * master_bytes_per_param


@relation
def optimizer_bytes(params: Real, optimizer_bytes_per_param: Real = 8.0) -> Real:
    """Memory of the optimizer's own state: two FP32 moments for Adam.

    Neglects: nothing. Momentum alone takes 4 bytes, Adam in 8 bits about 2.
    Source: [rajbhandari2020 §3.1]
    >>> optimizer_bytes(1e9) / 1e9
    8.0
    """
    return params * optimizer_bytes_per_param


@relation
def train_state_bytes(
    params: Real,
    weight_bytes_per_param: Real = 2.0,
    gradient_bytes_per_param: Real = 2.0,
    master_bytes_per_param: Real = 4.0,
    optimizer_bytes_per_param: Real = 8.0,
) -> Real:
    """Memory of weights, gradients, master copies and optimizer state.

    16 bytes a parameter for Adam in mixed precision. All chips together, each thing held once. Plain FP32 comes to
    the same 16 (4 + 4 + 8): half precision saves activations and time, not this. Neglects: activations (anything from
    a tenth of this to several times it), buffers, fragmentation.
    Source: [rajbhandari2020 §3.1]
    >>> train_state_bytes(1.5e9) / 1e9  # GPT-2 XL: the 24 GB of the ZeRO paper
    24.0
    """
    return params * (
        weight_bytes_per_param + gradient_bytes_per_param + master_bytes_per_param + optimizer_bytes_per_param
    )


@relation(kind="rule")
def rule_of_thumb_bytes(
    params: Real, fp32_state_bytes_per_param: Real = 16.0, activation_rule_bytes_per_param: Real = 8.0
) -> Real:
    """Memory of training by the rule of 24 bytes a parameter, six times the FP32 weights.

    4 for the weight, 4 for its gradient, 8 for Adam's moments, and 8 as a guess for activations. Neglects:
    that activations follow batch x sequence and not parameters; the guess is wrong by any factor.
    Source: [genai-llms week 1]
    >>> rule_of_thumb_bytes(1e9) / 1e9
    24.0
    """
    return params * (fp32_state_bytes_per_param + activation_rule_bytes_per_param)


@relation
def state_chips(train_state_bytes: Real, memory: Real) -> Real:
    """Chips whose memory together holds the training state, each thing once.

    Neglects: activations and buffers, and that chips come whole, in numbers that divide the model: a lower bound.
    Source: [rajbhandari2020 §5]
    >>> state_chips(1.6e12, 80e9)  # 100B parameters on chips of 80 GB
    20.0
    """
    return train_state_bytes / memory


@relation(kind="rule")
def activation_bytes(
    layers: Real,
    width: Real,
    sequence_length: Real,
    micro_batch_sequences: Real,
    activation_bytes_per_width: Real = 34.0,
) -> Real:
    """Memory of what a plain transformer keeps for the backward pass of one micro-batch.

    34 bytes for each layer, token and unit of width: 16-bit numbers, dropout masks, a feed-forward part four times as
    wide. Attention scores are not kept (fused or recomputed); keeping them adds 5 bytes x heads x sequence / width,
    80 for GPT-3. Neglects: embedding, head and loss (a few percent, more for large vocabularies); gated feed-forward
    parts keep 10 to 30 % more.
    Source: [korthikanti2022 §4.1]
    >>> activation_bytes(96, 12288, 2048, 1) / 2**30  # GPT-3, one sequence
    76.5
    """
    return activation_bytes_per_width * layers * width * sequence_length * micro_batch_sequences


@relation
def kv_bytes_per_token(
    layers: Real,
    kv_heads: Real,
    head_width: Real,
    kv_bytes_per_element: Real = 2.0,
    cached_vectors_per_token: Real = 2.0,
) -> Real:
    """Memory of one token in the key-value cache: a key and a value for each layer and key-value head.

    Neglects: nothing for full attention. Layers with a sliding window stop growing at the window; latent attention
    keeps one compressed vector instead.
    Source: [pope2022 §2] [shazeer2019 §2]
    >>> kv_bytes_per_token(32, 8, 128)  # Llama 3 8B in BF16
    131072.0
    """
    return cached_vectors_per_token * layers * kv_heads * head_width * kv_bytes_per_element


@relation
def kv_cache_bytes(kv_bytes_per_token: Real, context: Real, sequences: Real) -> Real:
    """Memory of the key-value cache of all sequences decoded at the same time.

    `context` is the mean over the sequences. Neglects: paging waste, below 4 % with pages of 16 tokens [kwon2023 §1];
    prefixes that sequences share save memory.
    Source: [pope2022 §2]
    >>> kv_cache_bytes(131072, 8192, 16) / 2**30
    16.0
    """
    return kv_bytes_per_token * context * sequences
