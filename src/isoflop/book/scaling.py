"""What a loss means: perplexity, bits per byte, information. The laws that give a loss are a room of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.relation import relation

if TYPE_CHECKING:
    from isoflop.quantity import Real


@relation
def perplexity(loss: Real, loss_unit: Real = 1.0) -> Real:
    """Among how many equally likely tokens the model seems to guess: the exponential of the loss in nat per token.

    Neglects: nothing, by definition. Only comparable under one tokenizer.
    Source: [jelinek1977]
    >>> round(float(perplexity(2.0)), 3)
    7.389
    """
    exponential: Real = np.exp(loss / loss_unit)
    return exponential


@relation
def bits_per_byte(loss: Real, tokens_per_byte: Real) -> Real:
    """Loss for each byte of text, comparable across tokenizers; in nat per byte, of which ln 2 are a bit.

    Neglects: that the tokens of a text can be cut in more than one way (below 1 %).
    Source: [gao2020 §3.1]
    >>> round(bits_per_byte(2.0, 0.29335) / 0.693147, 3)  # the Pile under GPT-2's tokenizer, in bits
    0.846
    """
    return loss * tokens_per_byte


@relation
def reducible_loss(loss: Real, irreducible_loss: Real) -> Real:
    """Loss above what no model goes below; the part that falls as a power of compute.

    Neglects: nothing, by definition; what is irreducible is an estimate of a law and differs between laws.
    Source: [henighan2020 §1]
    >>> round(reducible_loss(2.32, 1.69), 2)
    0.63
    """
    return loss - irreducible_loss


@relation
def uniform_loss(vocabulary: Real, loss_unit: Real = 1.0) -> Real:
    """Loss of guessing all tokens alike, where training starts: the logarithm of the vocabulary.

    Neglects: nothing, by definition; real first losses are a few percent higher.
    Source: [shannon1948 §6]
    >>> round(float(uniform_loss(50257)), 2)
    10.82
    """
    logarithm: Real = loss_unit * np.log(vocabulary)
    return logarithm


@relation
def text_information(tokens: Real, uniform_loss: Real) -> Real:
    """Most information that a text of so many tokens can hold; not the product of tokens and vocabulary.

    In nat, of which ln 2 are a bit. Neglects: that text can be predicted; it holds about its loss for each token, 3 to
    6 times less than this bound.
    Source: [shannon1948 §6]
    >>> f"{text_information(4e12, 10.8249) / 0.693147:.3g}"  # bits in 4T tokens of GPT-3's vocabulary
    '6.25e+13'
    """
    return tokens * uniform_loss
