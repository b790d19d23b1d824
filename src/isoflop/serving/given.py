"""A deployment from what a person gives: a model with its checkpoint's formats, on the devices of a text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.errors import UnknownName, close_matches
from isoflop.model.storage.formats import ALIASES, BITS
from isoflop.model.storage.ggml import MIXES, file_scheme, ggml_scheme, is_ggml
from isoflop.model.storage.methods import scheme_of
from isoflop.quantity import read_cluster
from isoflop.serving.beside import tower_bytes
from isoflop.serving.spec import Deployment, Formats

if TYPE_CHECKING:
    from isoflop.model.names import Description
    from isoflop.model.storage.scheme import Scheme


def formats_for(what: Description, weights: str = "", kv: str = "") -> tuple[Formats, tuple[str, ...]]:
    """(formats of a model: as its checkpoint has them, or as asked for; what was assumed).

    `weights`: a plain format ("bf16", "fp8", "int4") or a mix of llama.cpp ("q4_k_m"). `kv`: of the cache.
    """
    stored, rest, assumed = _stored(what)
    if not weights:
        return Formats(weights=stored, kv=kv or "auto", rest=rest), assumed
    if is_ggml(weights):
        return Formats(weights=ggml_scheme(what.spec, weights), kv=kv or "auto", rest="fp16"), ()
    if weights.strip().lower().removeprefix("torch.") not in {*BITS, *ALIASES}:
        known = f"Give one of: {', '.join(BITS)}; or a mix of llama.cpp: {', '.join(MIXES)}."
        close = close_matches(weights, [*BITS, *MIXES])
        raise UnknownName(
            "number format", weights, BITS, hint=f"Did you mean {' or '.join(close)}?" if close else known
        )
    return Formats(weights=weights, kv=kv or "auto", rest=rest), ()


def _stored(what: Description) -> tuple[str | Scheme, str, tuple[str, ...]]:
    dtype = what.dtype or "bf16"
    assumed = () if what.dtype else ("weights in BF16",)
    if what.tensors is not None and what.tensors.kind == "gguf":
        file = what.tensors
        words = f"as in the file: {', '.join(list(file.by_dtype())[:3])}"
        return file_scheme(file.bytes, file.numbers, words), "fp16", ()
    if what.reading is not None and what.reading.quantization is not None:
        return scheme_of(what.reading.quantization, dtype, what.reading.file), dtype, ()
    return dtype, dtype, assumed


def deployment_for(
    what: Description, on: str, formats: Formats | None = None, **parts: object
) -> tuple[Deployment, int | None]:
    """(a model on the devices of "8xh100-sxm", one chip for now; how many chips, None where not said).

    `parts` are further fields of `Deployment`. Raises: UnknownName for devices, BadInput for what is no cluster.
    """
    cluster = read_cluster(on)
    device = hardware.device(cluster.device)
    config = what.reading.config if what.reading is not None else {}
    chosen = formats or formats_for(what)[0]
    made = Deployment(model=what.spec, device=device, formats=chosen, beside=tower_bytes(config))
    return replace(made, **parts), cluster.count  # type: ignore[arg-type]
