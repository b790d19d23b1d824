"""Real decoding with a static cache: prefill, and one token after another, with and without CUDA graphs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from isoflop.measure.clock import Measured, attempt, synchronize, timed
from isoflop.torchmodel.decoder import Cache, Decoder, built, turns_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.torchmodel.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """Decoding of `batch` sequences whose caches hold `context` tokens each; `graph`: in one CUDA graph."""

    name: str
    shape: Shape
    batch: int
    context: int
    graph: bool = False
    form: str = "bf16"

    def settings(self) -> dict[str, str | float]:
        """What is set, flat."""
        found: dict[str, str | float] = {f"shape.{key}": value for key, value in asdict(self.shape).items()}
        return found | {key: getattr(self, key) for key in ("name", "batch", "context", "graph", "form")}


def weights_for(shape: Shape, device: torch.device, form: str) -> Decoder:
    """A model to decode with; it serves any batch and context."""
    model = built(shape, device, torch.bfloat16 if form == "bf16" else torch.float32)
    model.requires_grad_(requires_grad=False)
    return model


def measure_decode(model: Decoder, serve: Serve, *, seconds: float = 0.8) -> Measured:
    """Time one token of every sequence against full caches."""

    def work() -> Measured:
        token = _decoding(model, serve)
        device = model.embedding.weight.device
        timing = timed(token, device, seconds=seconds)
        return Measured(what="decode", settings=serve.settings(), timing=timing, figures=_held(device))

    return attempt("decode", serve.settings(), work)


def _decoding(model: Decoder, serve: Serve) -> Callable[[], None]:
    """What makes the next token of every sequence."""
    weight = model.embedding.weight
    cache = Cache(serve.shape, serve.batch, serve.context, like=weight)
    cache.held.normal_(std=0.02)
    cache.place.fill_(serve.context - 1)
    turns = turns_of(serve.shape, 1, like=weight, start=serve.context - 1)
    tokens = torch.zeros((serve.batch, 1), dtype=torch.long, device=weight.device)

    def token() -> None:
        with torch.no_grad():
            tokens.copy_(model.decode(tokens, turns, cache))

    if not serve.graph:
        return token
    for _ in range(2):
        token()
    synchronize(weight.device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        token()
    return graph.replay  # type: ignore[no-any-return]


def measure_prefill(model: Decoder, serve: Serve, *, seconds: float = 0.8) -> Measured:
    """Time the pass over `context` tokens of `batch` sequences that fills their caches and gives the first token."""

    def work() -> Measured:
        weight = model.embedding.weight
        cache = Cache(serve.shape, serve.batch, serve.context, like=weight)
        turns = turns_of(serve.shape, serve.context, like=weight)
        tokens = torch.randint(serve.shape.vocabulary, (serve.batch, serve.context), device=weight.device)

        def fill() -> None:
            with torch.no_grad():
                model.prefill(tokens, turns, cache)

        timing = timed(fill, weight.device, seconds=seconds, least=3)
        return Measured(what="prefill", settings=serve.settings(), timing=timing, figures=_held(weight.device))

    return attempt("prefill", serve.settings(), work)


def _held(device: torch.device) -> dict[str, float]:
    """Bytes of the device in use, where it counts them."""
    if device.type != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info(device)
    return {"allocated": float(torch.cuda.max_memory_allocated(device)), "device": float(total - free)}
