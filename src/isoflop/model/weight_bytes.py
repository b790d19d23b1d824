"""Bytes of a model's weights as a checkpoint holds them: in a plain number format, or as its config quantises them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.model.count import weights, weights_apart
from isoflop.model.storage.formats import plain
from isoflop.relation.answer import Ledger, Term

if TYPE_CHECKING:
    from isoflop.model.config import Reading
    from isoflop.model.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How a checkpoint stores a model.

    `scheme` says it in words, `dtype` is what is not quantised in, `kv_dtype` the number format of the cache: what the
    config asks for, else `dtype`. `ledger` has a term for every part and format. `apart` are bytes of what stands
    beside the model (layers that predict further tokens) and is in no total.
    """

    scheme: str
    dtype: str
    kv_dtype: str
    ledger: Ledger
    bits_per_weight: float
    apart: tuple[Term, ...] = ()
    doubts: tuple[str, ...] = ()


def weight_bytes(spec: ModelSpec, dtype: str) -> Ledger:
    """Bytes of all weights in the number format `dtype` ("bf16", "fp8", "int4"), by part, nothing beside them.

    >>> from isoflop.model import model
    >>> weight_bytes(model("llama-3.1-8b"), "bf16").total / 1e9
    16.060522496
    """
    form = plain(dtype)
    parts: dict[str, float] = defaultdict(float)
    for times, weight in weights(spec):
        parts[weight.part] += times * weight.copies * form.size(weight.rows, weight.columns)
    terms = tuple(Term(name=part, value=size, note=form.words) for part, size in parts.items())
    return Ledger(quantity="weight_bytes", title=f"Weights of {spec.name} in {form.words}", terms=terms)


def storage_of(reading: Reading) -> Storage:
    """How the checkpoint that a config belongs to stores its weights."""
    form = plain(reading.dtype or "bf16")
    ledger = weight_bytes(reading.spec, form.name)
    stored = sum(times * weight.params for times, weight in weights(reading.spec))
    apart = tuple(
        Term(
            name=one.name,
            value=sum(times * weight.params for times, weight in weights_apart(reading.spec, one)) * form.bits / 8,
            note=form.words,
        )
        for one in reading.spec.apart
    )
    doubts = () if reading.dtype else ("the config names no number format: BF16 is assumed",)
    return Storage(
        scheme=form.words,
        dtype=form.name,
        kv_dtype=form.name,
        ledger=ledger,
        bits_per_weight=8 * ledger.total / stored,
        apart=apart,
        doubts=doubts,
    )
