"""A model in use: work, bytes, rate, money and energy of the tokens it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.relation import relation

if TYPE_CHECKING:
    from isoflop.quantity import Real


@relation
def serve_flops(active_params: Real, serve_tokens: Real, forward_flops_per_param_token: Real = 2.0) -> Real:
    """Work of all tokens read and written over a model's life: one forward pass each, 2 N D.

    Neglects: attention to the context, which adds context x width x layers x 4 FLOP a token (Llama 3 8B at 8,192: 27
    %); tokens found in a cache of prompts save their share.
    Source: [kaplan2020 §2.1]
    >>> f"{serve_flops(70e9, 1e12):.3g}"
    '1.4e+23'
    """
    return forward_flops_per_param_token * active_params * serve_tokens


@relation
def lifetime_flops(train_flops: Real, serve_flops: Real) -> Real:
    """Work of training and all use together. They are equal after three times as many tokens served as trained on.

    Neglects: that the two are done at unlike utilisation (a few percent while decoding, 30 to 50 % in training), so
    that money splits otherwise than work.
    Source: [sardana2024 §2]
    >>> lifetime_flops(6 * 70e9 * 1e12, 2 * 70e9 * 3e12) / 1e23
    8.4
    """
    return train_flops + serve_flops


@relation(gives="serve_tokens")
def serve_tokens_of_requests(requests: Real, prompt_tokens: Real, output_tokens: Real) -> Real:
    """Tokens read and written for so many requests.

    `prompt_tokens` and `output_tokens` are means. Neglects: prompts that are answered from a cache.
    Source: [definition]
    >>> serve_tokens_of_requests(1e9, 900, 100) / 1e12
    1.0
    """
    return requests * (prompt_tokens + output_tokens)


@relation
def decode_step_bytes(active_params: Real, kv_cache_bytes: Real, weight_bytes_per_param: Real = 2.0) -> Real:
    """Bytes read from memory in one decoding step: the weights once, the cache of every sequence.

    All chips together. Neglects: activations (below 1 %); an input embedding counts but is not read. A mixture of
    experts that decodes many sequences at once reads nearly all experts, not the active ones: give its total as
    active_params then.
    Source: [pope2022 §2]
    >>> round(decode_step_bytes(8.03e9, 16 * 2**30) / 1e9, 1)  # Llama 3 8B, 16 sequences of 8,192
    33.2
    """
    return active_params * weight_bytes_per_param + kv_cache_bytes


@relation
def decode_bytes_per_token(decode_step_bytes: Real, sequences: Real, tokens_per_decode_step: Real = 1.0) -> Real:
    """Bytes read from memory for each token written: every sequence gains a token in a step, more with speculation.

    Neglects: what a drafting model reads where tokens are guessed ahead.
    Source: [pope2022 §2] [leviathan2022 §3]
    >>> decode_bytes_per_token(33.2e9, 16) / 1e9
    2.075
    """
    return decode_step_bytes / (sequences * tokens_per_decode_step)


@relation
def decode_step_time(decode_step_bytes: Real, chips: Real, memory_bandwidth: Real, bandwidth_efficiency: Real) -> Real:
    """Time of one decoding step where memory is what limits it: between two tokens of a sequence, without speculation.

    Efficiencies between 0.45 and 0.86 are measured for single sequences. Neglects: arithmetic, which limits above 150
    (A100) to 300 (H100) sequences in BF16, communication between chips, and the launch of kernels (tens of µs a
    layer).
    Source: [pope2022 §2] [williams2009]
    >>> round(decode_step_time(33.2e9, 1, 3.35e12, 0.8) * 1e3, 1)  # ms on an H100
    12.4
    """
    return decode_step_bytes / (chips * memory_bandwidth * bandwidth_efficiency)


@relation
def serve_rate(chips: Real, memory_bandwidth: Real, bandwidth_efficiency: Real, decode_bytes_per_token: Real) -> Real:
    """Tokens written per second where memory is what limits decoding.

    Neglects: as `decode_step_time`, and the time taken by reading prompts.
    Source: [pope2022 §2] [williams2009]
    >>> round(serve_rate(1, 3.35e12, 0.8, 2.075e9))
    1292
    """
    return chips * memory_bandwidth * bandwidth_efficiency / decode_bytes_per_token


@relation(gives="serve_rate")
def serve_rate_by_work(serve_mfu: Real, chips: Real, peak_rate: Real, forward_flops_per_token: Real) -> Real:
    """Tokens written per second by the work they take: this defines the utilisation of serving.

    Neglects: nothing, by definition; a few percent is usual where memory limits.
    Source: [pope2022 §2]
    >>> round(serve_rate_by_work(0.021, 1, 989.4e12, 16.06e9))
    1294
    """
    return serve_mfu * chips * peak_rate / forward_flops_per_token


@relation(gives="serve_rate")
def serve_rate_by_requests(request_rate: Real, output_tokens: Real) -> Real:
    """Tokens written per second when every request that arrives is answered.

    Neglects: bursts; the mean over a time long enough that what comes in goes out.
    Source: [definition]
    >>> serve_rate_by_requests(5.0, 200.0)
    1000.0
    """
    return request_rate * output_tokens


@relation
def usd_per_token(chips: Real, price: Real, serve_rate: Real) -> Real:
    """Money for one token written: rent of the chips over what they write.

    Neglects: hours without demand; divide by the share of time that is used.
    Source: [definition]
    >>> round(usd_per_token(1, 2.99 / 3600, 1292) * 1e6, 2)  # $ a million tokens
    0.64
    """
    return chips * price / serve_rate


@relation
def serve_cost(usd_per_token: Real, serve_tokens: Real) -> Real:
    """Money for all tokens over a model's life, at the cost of a written one.

    Neglects: that reading a token takes less than writing one, by 3 to 5 times in price lists; count them apart where
    prompts are long.
    Source: [definition]
    >>> serve_cost(0.5e-6, 1e12)
    500000.0
    """
    return usd_per_token * serve_tokens


@relation
def serve_energy(joules_per_token: Real, serve_tokens: Real) -> Real:
    """Electricity of all tokens over a model's life.

    Neglects: as `serve_cost`, with energy for money.
    Source: [definition]
    >>> serve_energy(0.36, 1e12) / 3.6e9  # MWh
    100.0
    """
    return joules_per_token * serve_tokens
