"""Single operations on a device: products, copies, attention, element-wise work, the optimizer, launches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as f

from isoflop.measure.clock import Measured, attempt, timed
from isoflop.measure.steps import kernels_of

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp8": torch.float8_e4m3fn,
}

ROTATED_BYTES = 2**28
"""Bytes of operands that take turns, so that no cache holds them; fewer on CPUs and where they are larger anyway."""


def product(m: int, n: int, k: int, form: str, device: torch.device, *, seconds: float = 0.12) -> Measured:
    """A product of m x k and k x n. fp8 has scales for whole matrices, as `torch._scaled_mm` takes them."""
    settings: dict[str, str | float] = {"m": m, "n": n, "k": k, "form": form}

    def work() -> Measured:
        width = torch.empty(0, dtype=FORMATS[form]).element_size()
        turns = int(max(1, min(16, ROTATED_BYTES // ((k * n + m * k) * width)))) if device.type == "cuda" else 1
        once = _scaled(m, n, k, turns, device) if form == "fp8" else _plain(m, n, k, turns, FORMATS[form], device)
        torch.backends.cuda.matmul.allow_tf32 = form == "tf32"
        try:
            timing = timed(once, device, seconds=seconds)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False
        return Measured(what="product", settings=settings, timing=timing, figures={"flops": 2.0 * m * n * k})

    return attempt("product", settings, work)


def _plain(m: int, n: int, k: int, turns: int, form: torch.dtype, device: torch.device) -> Callable[[], object]:
    left = [torch.randn(m, k, device=device, dtype=form) for _ in range(turns)]
    right = [torch.randn(n, k, device=device, dtype=form) for _ in range(turns)]
    out = torch.empty(m, n, device=device, dtype=form)
    place = [0]

    def once() -> None:
        place[0] = (place[0] + 1) % turns
        torch.mm(left[place[0]], right[place[0]].t(), out=out)

    return once


def _scaled(m: int, n: int, k: int, turns: int, device: torch.device) -> Callable[[], object]:
    if not hasattr(torch, "_scaled_mm"):
        raise NotImplementedError(f"torch {torch.__version__} has no product in fp8")
    form = FORMATS["fp8"]
    left = [torch.randn(m, k, device=device).to(form) for _ in range(turns)]
    right = [torch.randn(n, k, device=device).to(form) for _ in range(turns)]
    one = torch.ones((), device=device)
    place = [0]

    def once() -> object:
        place[0] = (place[0] + 1) % turns
        return torch._scaled_mm(  # noqa: SLF001  (torch has no other name for it)
            left[place[0]], right[place[0]].t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16
        )

    return once


def copy(size: float, device: torch.device, *, seconds: float = 0.15) -> Measured:
    """A copy of `size` bytes inside the memory of the device; it reads and writes as many."""
    settings: dict[str, str | float] = {"size": size}

    def work() -> Measured:
        source = torch.ones(int(size) // 4, device=device)
        target = torch.empty_like(source)
        timing = timed(lambda: target.copy_(source), device, seconds=seconds)
        return Measured(what="copy", settings=settings, timing=timing, figures={"bytes": 2.0 * size})

    return attempt("copy", settings, work)


def attention(
    batch: int, heads: tuple[int, int, int], sequence: int, kernels: str, device: torch.device, *, form: str = "bf16"
) -> Measured:
    """Causal attention forward and, as `backward`, forward and backward; `heads`: of queries, of keys, their width.

    FLOP are those of the masked half: 2 products of a query's width with the keys before it.
    """
    many, few, wide = heads
    settings: dict[str, str | float] = {
        "batch": batch, "heads": many, "kv_heads": few, "head_width": wide, "sequence": sequence, "kernels": kernels,
        "form": form,
    }  # fmt: skip

    def work() -> Measured:
        q, k, v = (
            torch.randn(batch, count, sequence, wide, device=device, dtype=FORMATS[form], requires_grad=True)
            for count in (many, few, few)
        )
        out = torch.randn(batch, many, sequence, wide, device=device, dtype=FORMATS[form])

        def forward() -> torch.Tensor:
            found: torch.Tensor = f.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=many != few)
            return found

        def both() -> None:
            forward().backward(out)

        with kernels_of(kernels):
            with torch.no_grad():
                timing = timed(forward, device, seconds=0.12)
            backward = timed(both, device, seconds=0.2)
        flops = 2.0 * batch * many * wide * sequence * (sequence + 1)
        figures = {"flops": flops, "both": backward.seconds}
        return Measured(what="attention", settings=settings, timing=timing, figures=figures)

    return attempt("attention", settings, work)


def cached_attention(
    batch: int, heads: tuple[int, int, int], context: int, device: torch.device, *, form: str = "bf16"
) -> Measured:
    """One query a sequence against a cache of `context` tokens: what decoding does; `bytes` are those of the cache."""
    many, few, wide = heads
    settings: dict[str, str | float] = {
        "batch": batch, "heads": many, "kv_heads": few, "head_width": wide, "context": context, "form": form,
    }  # fmt: skip

    def work() -> Measured:
        kind = FORMATS[form]
        query = torch.randn(batch, few, many // few, wide, device=device, dtype=kind)
        keys, values = (torch.randn(batch, few, context, wide, device=device, dtype=kind) for _ in range(2))
        with torch.no_grad():
            timing = timed(lambda: f.scaled_dot_product_attention(query, keys, values), device, seconds=0.12)
        return Measured(
            what="cached attention",
            settings=settings,
            timing=timing,
            figures={"bytes": 2.0 * keys.numel() * keys.element_size()},
        )

    return attempt("cached attention", settings, work)


def elementwise(kind: str, rows: int, width: int, device: torch.device, *, form: str = "bf16") -> Measured:
    """Element-wise work forward: "norm", "gated" (SiLU times another input), "add" or "loss" (cross entropy, fp32)."""
    settings: dict[str, str | float] = {"kind": kind, "rows": rows, "width": width, "form": form}

    def work() -> Measured:
        x, y = (torch.randn(rows, width, device=device, dtype=FORMATS[form]) for _ in range(2))
        weight = torch.ones(width, device=device, dtype=FORMATS[form])
        labels = torch.randint(width, (rows,), device=device)
        done = {
            "norm": lambda: f.rms_norm(x, (width,), weight, 1e-5),
            "gated": lambda: f.silu(x) * y,
            "add": lambda: x + y,
            "loss": lambda: f.cross_entropy(x.float(), labels),
        }[kind]
        with torch.no_grad():
            timing = timed(done, device, seconds=0.1)
        return Measured(
            what="element-wise",
            settings=settings,
            timing=timing,
            figures={"bytes": float(x.numel() * x.element_size())},
        )

    return attempt("element-wise", settings, work)


def optimizer(params: int, form: str, device: torch.device) -> Measured:
    """A step of fused AdamW over so many parameters, with weights, gradients and both moments in one format."""
    settings: dict[str, str | float] = {"params": params, "form": form}

    def work() -> Measured:
        weight = torch.zeros(params, device=device, dtype=FORMATS[form], requires_grad=True)
        weight.grad = torch.randn_like(weight)
        done = torch.optim.AdamW([weight], lr=1e-4, fused=device.type in {"cuda", "cpu"})
        timing = timed(done.step, device, seconds=0.2)
        size = float(weight.numel() * weight.element_size())
        return Measured(what="optimizer", settings=settings, timing=timing, figures={"bytes": 7 * size})

    return attempt("optimizer", settings, work)


def launches(count: int, device: torch.device, *, graph: bool = False) -> Measured:
    """`count` tiny operations one after the other: what starting each takes the host, or, in a CUDA graph, the chip."""
    settings: dict[str, str | float] = {"count": count, "graph": graph}

    def work() -> Measured:
        small = torch.zeros(1, device=device)

        def many() -> None:
            for _ in range(count):
                small.add_(1.0)

        once: Callable[[], object] = many
        if graph:
            many()
            torch.cuda.synchronize(device)
            held = torch.cuda.CUDAGraph()
            with torch.cuda.graph(held):
                many()
            once = held.replay
        timing = timed(once, device, seconds=0.15)
        return Measured(what="launches", settings=settings, timing=timing, figures={"each": timing.seconds / count})

    return attempt("launches", settings, work)
