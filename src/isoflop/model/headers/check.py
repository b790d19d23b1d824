"""Tensors of a file held against the model that its config or metadata describes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.model.count import weights, weights_apart
from isoflop.model.weight_bytes import storage_of

if TYPE_CHECKING:
    from isoflop.model.config import Reading
    from isoflop.model.headers.tensors import Tensors
    from isoflop.model.spec import ModelSpec

CLOSE = 0.005
"""Quantised files may differ from what their config says by this share: small numbers beside the weights."""

_ASIDE = re.compile(
    r"(^|[._])(vision|visual|audio|image|speech|multi_modal|mm|projector|merger|talker|code2wav)"
    r"|rotary_emb\.inv_freq$|^rope_(freqs|factors_\w+)\.weight$|\.(attn|attention)\.(bias|masked_bias)$"
)
"""Tensors of other modalities, and tables that are computed."""


def check(tensors: Tensors, reading: Reading) -> tuple[str, ...]:
    """Doubts where the tensors do not add up to the model: numbers where nothing is quantised, else bytes.

    Layers that predict further tokens may be there or not, and a tied head may be stored a second time.
    """
    if tensors.kind == "safetensors" and reading.quantization is not None:
        return _bytes(tensors, reading)
    held = sum(tensor.numbers for tensor in tensors.tensors if not _ASIDE.search(tensor.name))
    spec = reading.spec
    stored = sum(times * weight.params for times, weight in weights(spec))
    trained = sum(times * weight.params for times, weight in weights(spec) if weight.trained)
    if _among(held, {stored, trained}, spec):
        return ()
    return (f"the file lists {held:,} numbers in its tensors, the model read from it has {stored:,}",)


def _among(held: int, totals: set[int], spec: ModelSpec) -> bool:
    """Whether it is one of the totals, give or take what may be there or not."""
    beside = {0, _apart(spec)}
    again = {0}
    if spec.head is not None and spec.head.tied:
        again.add(spec.vocabulary * (spec.embedding.width or spec.width))
    return any(held == total + apart + twice for total in totals for apart in beside for twice in again)


def _apart(spec: ModelSpec) -> int:
    return sum(times * weight.params for one in spec.apart for times, weight in weights_apart(spec, one))


def _bytes(tensors: Tensors, reading: Reading) -> tuple[str, ...]:
    held = sum(tensor.bytes for tensor in tensors.tensors if not _ASIDE.search(tensor.name))
    try:
        storage = storage_of(reading)
    except MissingData:
        return ()
    due = storage.ledger.total
    beside = sum(term.value for term in storage.apart)
    if any(abs(held - total) <= CLOSE * total for total in (due, due + beside)):
        return ()
    return (f"the file holds {held:,} bytes, its config makes {due:,.0f} of the model ({storage.scheme})",)
