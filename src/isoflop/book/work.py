"""How much arithmetic: parameters, tokens, FLOP of training, and the three ways to count one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.relation import relation

if TYPE_CHECKING:
    from isoflop.quantity import Real


@relation
def active_params(params: Real, active_share: Real = 1.0) -> Real:
    """Parameters that work on each token.

    A dense model uses all of them, a mixture of experts the share that its router picks. Neglects: an input embedding
    is looked up, not multiplied; where it is not the output head too, it counts in vain (6.5 % of Llama 3 8B).
    Source: [jiang2024 §1]
    >>> round(active_params(46.7e9, 0.276) / 1e9, 1)  # Mixtral 8x7B: 2 of 8 experts and what all tokens share
    12.9
    """
    return params * active_share


@relation
def non_embedding_params(params: Real, embedding_params: Real) -> Real:
    """Parameters without the input embedding, positions and an untied head: the N of Kaplan's laws.

    Neglects: nothing; what counts as embedding is the convention. The two differ by 0.4 % for GPT-3 175B, by a third
    for GPT-2 small.
    Source: [kaplan2020 §2.1]
    >>> non_embedding_params(124_439_808, 39_383_808)  # GPT-2 small: 50,257 tokens and 1,024 positions of 768
    85056000
    """
    return params - embedding_params


@relation(gives="non_embedding_params", kind="rule")
def non_embedding_params_by_shape(layers: Real, width: Real, params_per_square_width: Real = 12.0) -> Real:
    """Parameters of a plain transformer from its shape.

    A layer of width d has 4 d² in attention and 8 d² in a feed-forward part 4 d wide. Neglects: biases and norms, 13
    d a layer (0.01 % for GPT-3). Does not hold for shared key-value heads and gated feed-forward parts, whose widths
    are chosen freely: Llama 3 8B has 8 % more than this.
    Source: [kaplan2020 §2.1]
    >>> non_embedding_params_by_shape(96, 12288) / 1e9  # GPT-3
    173.946175488
    """
    return params_per_square_width * layers * width**2


@relation(gives="width", kind="rule", policy=True)
def width_of_heads(heads: Real, head_width: Real) -> Real:
    """Width of a model whose heads share it out evenly.

    A choice that most models make. Neglects: that some do not: Qwen3 32B has a width of 5,120 and 64 heads of 128, 1.6
    times as much.
    Source: [vaswani2017 §3.2.2]
    >>> width_of_heads(96, 128)
    12288
    """
    return heads * head_width


@relation
def tokens_per_param(tokens: Real, params: Real) -> Real:
    """Training tokens for each parameter.

    Neglects: nothing, by definition. About 20 where a training budget alone is spent best (Chinchilla); models meant
    for much use go far beyond (Llama 3 8B: 1,870).
    Source: [hoffmann2022 §3.4]
    >>> tokens_per_param(1.4e12, 70e9)
    20.0
    """
    return tokens / params


@relation(gives="tokens", kind="rule")
def tokens_of_words(words: Real, tokens_per_word: Real = 4 / 3) -> Real:
    """Tokens that a text of so many words becomes.

    Three words of common English make about four tokens. Neglects: language, code and tokenizer, and that is large:
    1.2 to 1.5 for English prose, 2 and more for code, numbers and many other languages.
    Source: [openai-tokens]
    >>> tokens_of_words(300e9) / 1e9
    400.0
    """
    return words * tokens_per_word


@relation
def epochs(tokens: Real, unique_tokens: Real) -> Real:
    """How often the data is seen.

    Neglects: nothing, by definition; an average where sources are weighted. Up to four epochs a repeated token is
    worth almost a new one.
    Source: [muennighoff2023]
    >>> epochs(300e9, 75e9)
    4.0
    """
    return tokens / unique_tokens


@relation
def forward_flops_per_token(active_params: Real, forward_flops_per_param_token: Real = 2.0) -> Real:
    """Work of the forward pass for one token: one multiplication and one addition for each weight.

    Neglects: attention scores (GPT-3 at 2,048 tokens: 1.4 % causal, 2.8 % full), norms and activation functions
    (below 1 %).
    Source: [kaplan2020 §2.1]
    >>> forward_flops_per_token(175e9) / 1e9
    350.0
    """
    return forward_flops_per_param_token * active_params


@relation
def flops_per_token(active_params: Real, flops_per_param_token: Real = 6.0) -> Real:
    """Training work for one token: 2 forward and 4 backward for each weight.

    Backward is twice forward because gradients flow to the inputs and to the weights. Neglects: as `train_flops`.
    Source: [kaplan2020 §2.1]
    >>> flops_per_token(175e9) / 1e12
    1.05
    """
    return flops_per_param_token * active_params


@relation
def train_flops(active_params: Real, tokens: Real, flops_per_param_token: Real = 6.0) -> Real:
    """Work of a training run: forward and backward over every weight and token, C = 6 N D.

    Neglects: attention scores, which add S / (12 d) for sequences of S in a plain model of width d: 1.4 % for GPT-3
    (2,048), 8 % for Llama 3 70B (8,192). Leaves out recomputation (`hardware_flops`), restarts, and runs that were
    thrown away. An encoder-decoder takes 3: each token passes through half of the weights.
    Source: [kaplan2020 §2.1] [brown2020 App. D]
    >>> train_flops(174.6e9, 300e9)  # GPT-3
    3.1428e+23
    """
    return flops_per_param_token * active_params * tokens


@relation(gives="train_flops")
def train_flops_by_token(flops_per_token: Real, tokens: Real) -> Real:
    """Work of a training run from the work of one token.

    Neglects: nothing, if every token takes the same work: one length of sequence throughout.
    Source: [kaplan2020 §2.1]
    >>> train_flops_by_token(1.0476e12, 300e9)
    3.1428e+23
    """
    return flops_per_token * tokens


@relation
def attention_flops_per_token(
    layers: Real,
    width: Real,
    sequence_length: Real,
    attended_share: Real = 0.5,
    attention_flops_per_pair: Real = 12.0,
) -> Real:
    """Training work for one token in scores and weighted sums of attention, which comes on top of 6 N.

    Each pair of tokens costs 2 FLOP for the score and 2 for the sum per unit of width, three times over for forward
    and backward. A causal mask lets a token see half of the sequence on average (attended_share 0.5); many published
    figures count all of it (1). Neglects: softmax (about 1 % of this), one token in S of the causal half, and kernels
    that compute blocks beyond the mask. Heads whose widths do not add up to the model's need `heads * head_width` as
    width.
    Source: [chowdhery2022 App. B]
    >>> round(attention_flops_per_token(96, 12288, 2048) / 1e9, 2)  # GPT-3: 1.4 % of the 1,048 in its weights
    14.5
    """
    return attention_flops_per_pair * attended_share * layers * width * sequence_length


@relation
def attention_share(attention_flops_per_token: Real, flops_per_token: Real) -> Real:
    """Attention scores as a share of the work in weights: what 6 N D leaves out.

    Neglects: nothing, by definition.
    Source: [chowdhery2022 App. B]
    >>> round(attention_share(1.4495514624e10, 1.0476e12), 4)  # GPT-3 at 2,048 tokens
    0.0138
    """
    return attention_flops_per_token / flops_per_token


@relation
def hardware_flops(train_flops: Real, hardware_overhead: Real = 1.0) -> Real:
    """Work that the chips do, recomputation included.

    1 where all activations are kept, 4/3 where the whole forward pass runs again before backward (8 N D in place of 6
    N D), 1.02 to 1.03 where only attention scores are recomputed. Neglects: padding and masked blocks (a few
    percent).
    Source: [narayanan2021 §3.5] [korthikanti2022 §5]
    >>> hardware_flops(3e23, 4 / 3) / 1e23
    4.0
    """
    return train_flops * hardware_overhead


@relation
def batch_tokens(batch_sequences: Real, sequence_length: Real) -> Real:
    """Tokens of one optimizer step, over all chips.

    Neglects: padding; packed sequences have none.
    Source: [definition]
    >>> batch_tokens(1536, 2048)  # GPT-3: about the 3.2M of its paper
    3145728
    """
    return batch_sequences * sequence_length


@relation
def steps(tokens: Real, batch_tokens: Real) -> Real:
    """Optimizer steps of a run.

    Neglects: a batch that grows during the run; take its mean over tokens (GPT-3 grew from 32k over the first 4 to 12
    billion of 300 billion tokens).
    Source: [definition]
    >>> steps(300e9, 3.2e6)
    93750.0
    """
    return tokens / batch_tokens


@relation
def layer_multiplications(layer_inputs: Real, layer_outputs: Real, flops_per_operation: Real = 1.0) -> Real:
    """Multiplications of one dense layer for one input vector: one for each weight.

    Neglects: nothing.
    Source: [golub2013 §1.1]
    >>> layer_multiplications(4, 3)
    12.0
    """
    return flops_per_operation * layer_inputs * layer_outputs


@relation
def layer_additions(layer_inputs: Real, layer_outputs: Real, flops_per_operation: Real = 1.0) -> Real:
    """Additions of one dense layer for one input vector: m products are summed in m - 1 steps.

    Neglects: a bias, which would add one for each output.
    Source: [golub2013 §1.1]
    >>> layer_additions(4, 3)
    9.0
    """
    return flops_per_operation * layer_outputs * (layer_inputs - 1)


@relation
def neuron_flops_exact(layer_inputs: Real, layer_outputs: Real, flops_per_operation: Real = 1.0) -> Real:
    """Work of one dense layer, counted operation by operation: m multiplications and m - 1 additions for each output.

    Neglects: a bias; with one this is the 2mn of `neuron_flops_2mn`.
    Source: [golub2013 §1.1]
    >>> neuron_flops_exact(4, 3)
    21.0
    """
    return flops_per_operation * layer_outputs * (2 * layer_inputs - 1)


@relation
def neuron_flops_2mn(layer_inputs: Real, layer_outputs: Real, flops_per_operation: Real = 1.0) -> Real:
    """Work of one dense layer by the rule that 2 N and 6 N rest on.

    One multiplication and one addition for each weight. Neglects: that the first product is added to nothing, unless
    there is a bias: 14 % too much for 4 inputs, 0.004 % for 12,288.
    Source: [golub2013 §1.1]
    >>> neuron_flops_2mn(4, 3)
    24.0
    """
    return flops_per_operation * 2 * layer_inputs * layer_outputs


@relation
def neuron_macs(layer_inputs: Real, layer_outputs: Real, flops_per_mac: Real = 2.0) -> Real:
    """Multiply-accumulates of one dense layer, one for each weight; in FLOP, of which a MAC is two.

    Neglects: as `neuron_flops_2mn`, of which this is the same work in another unit: 24 FLOP are 12 MAC.
    Source: [golub2013 §1.1]
    >>> neuron_macs(4, 3) / 2
    12.0
    """
    return flops_per_mac * layer_inputs * layer_outputs
