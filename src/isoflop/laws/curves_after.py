"""What comes after training, as shapes to fit: quantization of finished weights, and the error of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from isoflop.laws.curves import OF_PARAMS, OF_TOKENS, Precision
from isoflop.laws.shape import EXPONENT, Box, Term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.quantity import FloatArray

BEFORE = Precision()
BITS = ("weight_bits", "activation_bits", "kv_bits")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionAfter:
    """The precision law with what quantizing the finished weights to P_post bits costs on top.

    That is C_T tokens^g_D / params'^g_N exp(-P_post / g_post), params' the effective ones: the longer a model was
    trained, the more it loses. Neglects the paper's factors by which bits in training soften it. Runs that were not
    quantized have P_post of 16, where the term is nothing. Source: [kumar2024 eq. 2]
    """

    name: ClassVar[str] = "precision-post"
    title: ClassVar[str] = "precision + C_T tokens^g_D / params'^g_N exp(-P_post / g_post), P_post bits after training"
    inputs: ClassVar[tuple[str, ...]] = (*BEFORE.inputs, "post_bits")
    coordinates: ClassVar[tuple[str, ...]] = (*BEFORE.coordinates, "ln_C_T", "g_D", "g_N", "ln_g_post")
    centring: ClassVar[tuple[Term, ...]] = (OF_PARAMS, OF_TOKENS)
    bounds: ClassVar[Mapping[str, Box]] = MappingProxyType(
        {**BEFORE.bounds, "ln_C_T": (-30.0, 30.0), "g_D": EXPONENT, "g_N": EXPONENT, "ln_g_post": (-3.0, 3.0)}
    )
    source: ClassVar[str] = "kumar2024"

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss)."""
        before = BEFORE.log_loss(at[..., :8], columns)
        size, data = np.log(columns["params"]), np.log(columns["tokens"])
        for place, bits in enumerate(BITS):
            size = size + np.log(-np.expm1(-columns[bits] * np.exp(-at[..., 5 + place, None])))
        scale, by_data, by_size, reach = (at[..., place, None] for place in range(8, 12))
        added = scale + by_data * data - by_size * size - columns["post_bits"] * np.exp(-reach)
        largest = np.maximum(np.real(before), np.real(added))
        found: FloatArray = largest + np.log(np.exp(before - largest) + np.exp(added - largest))
        return found

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """Starts of the law of training from runs with most bits after it, each with several terms on top."""
        full = columns["post_bits"] >= np.quantile(columns["post_bits"], 0.7)
        plain = BEFORE.starts({name: values[full] for name, values in columns.items()}, loss[full])
        size, data = (float(np.log(columns[name]).mean()) for name in ("params", "tokens"))
        least = float(columns["post_bits"].min())
        level = np.log(0.1 * float(np.median(loss)))
        found = []
        for row, (by_data, by_size), reach in product(plain[::2], ((0.5, 0.35), (0.3, 0.3)), (0.5, 1.0)):
            scale = level - by_data * data + by_size * size + least / reach
            found.append([*row, float(np.clip(scale, -29.0, 29.0)), by_data, by_size, float(np.log(reach))])
        return np.array(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownstreamSigmoid:
    """Error of a task from the loss, with an end on both sides: error = floor + span / (1 + exp(-k (loss - middle))).

    Below the middle a task is learnt, above it is guessed; the exponential law `downstream` has no lower end. It takes
    losses on both sides of the middle: else span and middle are not told apart.
    """

    name: ClassVar[str] = "downstream-sigmoid"
    title: ClassVar[str] = "error = floor + span / (1 + exp(-k (loss - middle)))"
    target: ClassVar[str] = "error"
    inputs: ClassVar[tuple[str, ...]] = ("loss",)
    coordinates: ClassVar[tuple[str, ...]] = ("floor", "ln_span", "ln_k", "middle")
    bounds: ClassVar[Mapping[str, Box]] = MappingProxyType(
        {"floor": (0.0, 1.0), "ln_span": (-5.0, 1.0), "ln_k": (-3.0, 5.0), "middle": (0.0, 20.0)}
    )
    source: ClassVar[str] = ""

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(error)."""
        floor, ln_span, ln_k, middle = (at[..., place, None] for place in range(4))
        falls = 1.0 / (1.0 + np.exp(-np.exp(ln_k) * (columns["loss"] - middle)))
        found: FloatArray = np.log(floor + np.exp(ln_span) * falls + 1e-12)
        return found

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """For each steepness and middle, floor and span by least squares: they are linear."""
        seen = columns["loss"]
        found = []
        for k, share in product((1.0, 3.0, 8.0), (0.2, 0.5, 0.8)):
            middle = float(np.quantile(seen, share))
            falls = 1.0 / (1.0 + np.exp(-k * (seen - middle)))
            floor, span = np.linalg.lstsq(np.stack([np.ones_like(falls), falls], axis=1), loss, rcond=None)[0]
            held = float(np.clip(floor, 1e-3, 0.9))
            found.append((held, np.log(float(np.clip(span, 0.05, 1.5))), np.log(k), middle))
        return np.array(found)
