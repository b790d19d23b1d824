"""What is measured on a device, in order of value, so that whatever ends early leaves a profile that can be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from isoflop.measure import kernels
from isoflop.measure.clock import Measured, attempt
from isoflop.measure.collectives import measure_collective
from isoflop.measure.decode import Serve, measure_decode, measure_prefill, weights_for
from isoflop.measure.steps import Step, measure_step
from isoflop.torchmodel.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from isoflop.measure.machine import Machine
    from isoflop.torchmodel.decoder import Decoder

FAST = 2e13
"""FLOP/s from which sizes are those of an accelerator."""

SIDES = (512, 1024, 2048, 4096, 8192, 16384)
THIN = ((16, 4096, 4096), (256, 4096, 4096), (1024, 4096, 4096), (8192, 4096, 4096), (1024, 14336, 4096))
WIDE = ((8192, 14336, 4096), (8192, 4096, 14336), (4096, 32000, 2048), (8192, 2048, 5632), (4096, 1024, 1024))
SLOW_SIDES = (64, 128, 256, 512, 1024)
SLOW_WIDE = ((1024, 704, 256), (1024, 256, 704), (512, 1408, 512), (2048, 4096, 256), (256, 256, 1024))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a suite may take: seconds in all and of each training step; `forms` to measure products in."""

    seconds: float = 180.0
    step_seconds: float = 1.5
    forms: tuple[str, ...] = ()


def _shape(layers: int, width: int, heads: int, inner: int, vocabulary: int) -> Shape:
    return Shape(
        layers=layers, width=width, heads=heads, kv_heads=heads, head_width=width // heads, inner=inner,
        vocabulary=vocabulary,
    )  # fmt: skip


def _step(shape: Shape, sequence: int, batch: int, form: str, attention: str) -> Step:
    name = f"{shape.layers} layers of {shape.width}"
    return Step(name=name, shape=shape, sequence=sequence, batch=batch, form=form, attention=attention)


def fitting_steps(*, fast: bool) -> tuple[Step, ...]:
    """Steps that tell launches, element-wise work and the loss apart; the constants of a profile are fitted to them."""
    if fast:
        return (
            _step(_shape(4, 512, 8, 1408, 4096), 1024, 2, "bf16", "flash"),
            _step(_shape(16, 512, 8, 1408, 4096), 1024, 2, "bf16", "flash"),
            _step(_shape(8, 1024, 16, 2816, 4096), 2048, 8, "bf16", "flash"),
            _step(_shape(2, 1024, 16, 2816, 64000), 2048, 8, "bf16", "flash"),
            _step(_shape(6, 2048, 16, 5632, 32000), 2048, 4, "bf16", "flash"),
        )
    return (
        _step(_shape(2, 128, 2, 352, 512), 128, 1, "fp32", ""),
        _step(_shape(8, 128, 2, 352, 512), 128, 1, "fp32", ""),
        _step(_shape(4, 256, 4, 704, 1024), 256, 4, "fp32", ""),
        _step(_shape(2, 256, 4, 704, 16000), 256, 2, "fp32", ""),
        _step(_shape(3, 512, 8, 1408, 2048), 512, 1, "fp32", ""),
    )


def unseen_steps(*, fast: bool) -> tuple[Step, ...]:
    """Steps of other shapes, to hold a profile against: none of them is used in a fit."""
    if fast:
        return (
            _step(_shape(12, 768, 12, 2048, 32000), 1024, 8, "bf16", "flash"),
            _step(_shape(24, 1024, 16, 2816, 32000), 4096, 4, "bf16", "flash"),
            replace(_step(_shape(10, 2560, 20, 6912, 50304), 2048, 4, "bf16", "flash"), recompute=True),
            _step(_shape(6, 4096, 32, 11008, 32000), 4096, 1, "bf16", "flash"),
            _step(_shape(16, 1536, 12, 4096, 50304), 8192, 1, "bf16", "flash"),
            replace(_step(_shape(12, 1280, 20, 3456, 32000), 1024, 8, "bf16", "flash"), pieces=3),
        )
    return (
        _step(_shape(4, 192, 3, 512, 1000), 192, 2, "fp32", ""),
        _step(_shape(6, 256, 4, 704, 4000), 384, 1, "fp32", ""),
        _step(_shape(3, 384, 6, 1024, 2000), 256, 3, "fp32", ""),
        replace(_step(_shape(4, 320, 5, 864, 1500), 256, 2, "fp32", ""), recompute=True),
        _step(_shape(2, 640, 10, 1728, 3000), 320, 1, "fp32", ""),
        replace(_step(_shape(5, 192, 3, 512, 6000), 256, 1, "fp32", ""), pieces=3),
        _step(_shape(2, 384, 6, 1024, 8000), 768, 1, "fp32", ""),
        _step(_shape(10, 256, 4, 704, 1000), 128, 4, "fp32", ""),
    )


def memory_steps(*, fast: bool) -> tuple[Step, ...]:
    """A grid over model, batch, sequence, recomputation and format, to hold predicted peaks of memory against."""
    del fast  # the allocator does not care how fast the chip is
    shapes = (_shape(4, 256, 4, 704, 2000), _shape(2, 512, 8, 1408, 4000), _shape(8, 192, 3, 512, 1000))
    return tuple(
        replace(_step(shape, sequence, batch, form, ""), recompute=again, pieces=pieces)
        for shape in shapes
        for sequence, batch in ((128, 2), (256, 4))
        for form in ("fp32", "bf16")
        for again, pieces in ((False, 1), (True, 1), (False, 2))
    )


def suite(machine: Machine, limits: Limits, *, fast: bool) -> Iterator[Measured]:
    """One measurement after the other, until all are made or the time is up."""
    until = monotonic() + limits.seconds
    for work in _works(machine, limits, fast=fast):
        if monotonic() > until:
            return
        yield work()


def _works(machine: Machine, limits: Limits, *, fast: bool) -> Iterator[Callable[[], Measured]]:
    device = machine.device
    first = ("bf16", "tf32") if fast else ("fp32",)
    forms = limits.forms or (("bf16", "fp8", "tf32", "fp16", "fp32") if fast else ("fp32", "bf16"))
    yield lambda: kernels.copy(2.0**30 if fast else 2.0**27, device)
    for form in forms:
        yield from _products(form, device, fast=fast, whole=form in (*first, "fp8"))
    yield from _attentions(device, fast=fast)
    yield lambda: kernels.optimizer(200_000_000 if fast else 2_000_000, "bf16" if fast else "fp32", device)
    yield lambda: kernels.launches(1000 if fast else 100, device)
    for one in fitting_steps(fast=fast):
        yield lambda one=one: measure_step(one, device, seconds=limits.step_seconds)  # type: ignore[misc]
    if device.type == "cuda":
        yield lambda: kernels.launches(1000, device, graph=True)
    yield from _decoding(device, fast=fast)
    if machine.count > 1:
        for size in (2**20, 2**26, 2**29):
            yield lambda size=size: measure_collective("nccl", machine.count, size)  # type: ignore[misc]


def _products(form: str, device: torch.device, *, fast: bool, whole: bool) -> Iterator[Callable[[], Measured]]:
    sides = SIDES if fast else SLOW_SIDES
    cubes = [(n, n, n) for n in (sides if whole else sides[2:5])]
    further = ((*THIN, *WIDE) if fast else SLOW_WIDE) if whole else ()
    for m, n, k in (*cubes, *further):
        if not (form == "tf32" and max(m, n, k) > 8192):
            yield lambda m=m, n=n, k=k: kernels.product(m, n, k, form, device)  # type: ignore[misc]


def _attentions(device: torch.device, *, fast: bool) -> Iterator[Callable[[], Measured]]:
    names = ("flash", "cudnn") if fast else ("",)
    heads = ((32, 8, 128), (32, 32, 64)) if fast else ((4, 4, 64),)
    tokens, form = (16384, "bf16") if fast else (1024, "fp32")
    for which in names:
        for many in heads:
            for sequence in (2048, 4096, 16384) if fast else (256, 512, 1024):
                batch = tokens // sequence
                yield lambda w=which, h=many, s=sequence, b=batch: kernels.attention(b, h, s, w, device, form=form)  # type: ignore[misc]


def _decoding(device: torch.device, *, fast: bool) -> Iterator[Callable[[], Measured]]:
    """One model decoded at two depths, and prefilled; where its weights find no room, that is the result."""
    shape = _shape(8, 4096, 32, 11008, 32000) if fast else _shape(4, 256, 4, 704, 1000)
    form = "bf16" if fast else "fp32"
    held: list[Decoder] = []

    def loaded() -> Measured:
        held.append(weights_for(shape, device, form))
        return Measured(what="weights", settings={"params": float(shape.params), "form": form})

    made = attempt("weights", {"params": float(shape.params), "form": form}, loaded)
    if made.failed:
        yield lambda: made
        return
    model = held[0]
    for batch, context in ((1, 1024), (16, 4096)) if fast else ((1, 128), (4, 512)):
        one = Serve(name="decoding", shape=shape, batch=batch, context=context, graph=device.type == "cuda", form=form)
        yield lambda one=one: measure_decode(model, one, seconds=0.4)  # type: ignore[misc]
    filled = Serve(name="prefill", shape=shape, batch=1, context=2048 if fast else 256, form=form)
    yield lambda: measure_prefill(model, filled, seconds=0.4)
