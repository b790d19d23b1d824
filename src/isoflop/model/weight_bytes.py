"""Bytes of a model's weights as a checkpoint holds them: in a plain number format, or as its config quantises them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.model.count import weights
from isoflop.model.storage.methods import scheme_of
from isoflop.model.storage.modules import Namer, modules, modules_apart
from isoflop.model.storage.scheme import Scheme, unquantised
from isoflop.relation.answer import Ledger, Term

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.model.config import Reading
    from isoflop.model.spec import ModelSpec
    from isoflop.model.storage.modules import Module

ASSUMED = "bf16"
"""What weights are in where a config names no number format."""

_NO_DOUBT = frozenset({"mxfp4"})
"""Methods whose files name no number format because there is but one."""

_AGAIN = "files may store embedding and head a second time with it, which is not counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How a checkpoint stores a model.

    `scheme` says it in words, `dtype` is what is not quantised in, `kv_dtype` the number format of the cache: what the
    config asks for, else `dtype`. `ledger` has a term for every part and format. `bits_per_weight` counts scales and
    all. `apart` are bytes of what stands beside the model (layers that predict further tokens) and is in no total.
    """

    scheme: str
    dtype: str
    kv_dtype: str
    ledger: Ledger
    bits_per_weight: float
    apart: tuple[Term, ...] = ()
    doubts: tuple[str, ...] = ()


def weight_bytes(spec: ModelSpec, stored: str | Scheme) -> Ledger:
    """Bytes of all weights by part and format: all in one number format ("bf16", "int4"), or by a scheme.

    >>> from isoflop.model import model
    >>> weight_bytes(model("llama-3.1-8b"), "bf16").total / 1e9
    16.060522496
    """
    scheme = unquantised(stored) if isinstance(stored, str) else stored
    held = _tally(modules(spec, Namer(scheme.patterns())), scheme)
    terms = tuple(Term(name=part, value=size, note=words) for (part, words), size in held.items())
    return Ledger(quantity="weight_bytes", title=f"Weights of {spec.name}: {scheme.words}", terms=terms)


def storage_of(reading: Reading) -> Storage:
    """How the checkpoint that a config belongs to stores its weights.

    A quantisation that cannot be counted from a config alone is MissingData.
    """
    spec, dtype = reading.spec, reading.dtype or ASSUMED
    assumed = () if reading.dtype else (f"the config names no number format: {ASSUMED.upper()} is assumed",)
    if reading.quantization is None:
        scheme = unquantised(dtype, correction="fp32")
    else:
        scheme = scheme_of(reading.quantization, dtype, reading.file)
        assumed = () if reading.quantization.get("quant_method") in _NO_DOUBT else assumed
    ledger = weight_bytes(spec, scheme)
    namer = Namer(scheme.patterns())
    apart = tuple(
        Term(name=one.name, value=sum(_tally(modules_apart(spec, one, namer), scheme).values()), note=_AGAIN)
        for one in spec.apart
    )
    return Storage(
        scheme=scheme.words,
        dtype=scheme.rest.name,
        kv_dtype=scheme.kv or scheme.rest.name,
        ledger=ledger,
        bits_per_weight=8 * ledger.total / _numbers(spec),
        apart=apart,
        doubts=(*assumed, *_routers(spec, scheme, namer), *scheme.all_doubts()),
    )


def _tally(listed: Iterable[Module], scheme: Scheme) -> dict[tuple[str, str], float]:
    """(part, format in words) -> bytes."""
    held: dict[tuple[str, str], float] = defaultdict(float)
    for module in listed:
        form = scheme.form_of(module)
        weight = module.weight
        held[weight.part, form.words] += module.times * form.size(weight.rows, weight.columns)
    return held


def _numbers(spec: ModelSpec) -> int:
    return sum(times * weight.params for times, weight in weights(spec))


def _routers(spec: ModelSpec, scheme: Scheme, namer: Namer) -> tuple[str, ...]:
    """A doubt where nothing says whether what routes is quantised with the rest."""
    if not scheme.routers_doubted:
        return ()
    routers = (module for module in modules(spec, namer) if module.kind == "router")
    if all(scheme.form_of(module) is not scheme.rest or scheme.leaves(module) for module in routers):
        return ()
    return (f"no list says whether routers are quantised; they are counted in {scheme.rest.words}",)
