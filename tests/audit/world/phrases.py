"""Claims made from numbers: each right, or with one slip whose class and factor are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

DEVICES = {
    "A100": (312.0, 624.0),
    "H100": (989.0, 1979.0),
    "H100 SXM": (989.0, 1979.0),
    "V100": (125.0, 0.0),
    "TPU v4": (275.0, 0.0),
    "H200": (989.0, 1979.0),
    "B200": (2250.0, 4500.0),
    "MI300X": (1307.0, 2615.0),
}
FORMATS = {"FP32": 4.0, "FP16": 2.0, "BF16": 2.0, "INT8": 1.0, "FP8": 1.0, "INT4": 0.5, "4-bit": 0.5}
MODELS = {
    "GPT-3": (175.0, 0.3),
    "LLaMA 65B": (65.0, 1.4),
    "Chinchilla": (70.0, 1.4),
    "Gopher": (280.0, 0.3),
    "Llama 2 70B": (70.0, 2.0),
    "Llama 3 70B": (70.0, 15.0),
    "Llama 3.1 405B": (405.0, 15.6),
    "PaLM 540B": (540.0, 0.78),
    "Falcon 180B": (180.0, 3.5),
    "OPT-175B": (175.0, 0.3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A text; `factor` says / right of its slip, None where it is right."""

    text: str
    factor: float | None


def sci(value: float, digits: int = 3) -> str:
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def tokens(value: float) -> str:
    return f"{value / 1e12:g} trillion tokens" if value >= 1e12 else f"{value / 1e9:g} billion tokens"


def pick(rng: Random, factors: tuple[float, ...], *, wrong: bool) -> float | None:
    return rng.choice(factors) if wrong else None


def work(rng: Random, *, wrong: bool) -> Claim:
    size, ratio = rng.choice([1.3, 2.7, 7, 13, 30, 52, 70, 120]), rng.choice([20, 40, 100, 285])
    data = float(f"{size * ratio:.2g}") * 1e9
    factor = pick(rng, (1 / 3, 10.0, 0.1, 1000.0), wrong=wrong)
    flops = 6 * size * 1e9 * data * (factor or 1.0)
    said = rng.choice([sci(flops), sci(flops).replace("e", " × 10^"), sci(flops, 2)])
    text = rng.choice(
        [
            "We trained a {n}B-parameter model on {d}, which took {c} FLOPs.",
            "Training a {n}B model on {d} requires about {c} FLOP of compute.",
            "The model has {n} billion parameters. It was trained on {d}. Total training compute: {c} FLOPs.",
            "Our {n}B model saw {d} ({c} FLOPs).",
        ]
    )
    return Claim(text=text.format(n=f"{size:g}", d=tokens(data), c=said), factor=factor)


def hours(rng: Random, *, wrong: bool) -> Claim:
    chips, days = rng.choice([64, 256, 384, 1024, 2048]), rng.choice([3, 11, 21, 34, 54])
    factor = pick(rng, (1 / 24, 10.0, 0.1), wrong=wrong)
    total = chips * days * 24 * (factor or 1.0)
    text = rng.choice(
        [
            "The run used {n} {d} GPUs for {t} days, {h:,.0f} GPU-hours in total.",
            "Training took {t} days on {n} {d}s. That is {h:,.0f} GPU hours.",
            "- {n} {d} GPUs\n- {t} days\n- {h:,.0f} GPU hours",
        ]
    )
    return Claim(
        text=text.format(n=f"{chips:,}", d=rng.choice(["A100", "H100", "V100"]), t=days, h=total), factor=factor
    )


def memory(rng: Random, *, wrong: bool) -> Claim:
    size, (name, each) = rng.choice([1.5, 3, 7, 13, 34, 70, 180]), rng.choice(list(FORMATS.items()))
    factor = pick(rng, (8.0, 0.1, 10.0), wrong=wrong)
    total = size * each * (factor or 1.0)
    text = rng.choice(
        [
            "A {n}B model in {f} needs {m:g} GB of memory.",
            "In {f}, the weights of a {n}B model take {m:g} GB.",
            "Loading a {n}B-parameter model in {f} takes about {m:g} GB of VRAM.",
            "For {n} billion parameters:\n- {f}: {m:g} GB",
        ]
    )
    return Claim(text=text.format(n=f"{size:g}", f=name, m=float(f"{total:.3g}")), factor=factor)


def peak(rng: Random, *, wrong: bool) -> Claim:
    name, (dense, sparse) = rng.choice([pair for pair in DEVICES.items() if pair[1][1] or not wrong])
    factor = pick(rng, (2.0,), wrong=wrong)
    text = rng.choice(
        [
            "The {d} has a peak of {p:,.0f} TFLOPS in BF16 for dense matrices."
            if name != "V100"
            else "The {d} peaks at {p:,.0f} TFLOPS in FP16.",
            "A single {d} delivers up to {p:,.0f} TFLOP/s of dense FP16 compute.",
            "The {d} is rated at {p:,.0f} teraFLOPS (dense, FP16).",
        ]
    )
    return Claim(text=text.format(d=name, p=sparse if wrong else dense), factor=factor)


def money(rng: Random, *, wrong: bool) -> Claim:
    chips, days, price = (
        rng.choice([64, 256, 512, 1024]),
        rng.choice([5, 14, 30]),
        rng.choice([1.2, 1.8, 2.0, 2.5, 3.3]),
    )
    factor = pick(rng, (1 / 24, 10.0), wrong=wrong)
    total = chips * days * 24 * price * (factor or 1.0)
    text = rng.choice(
        [
            "Renting {n} H100s for {t} days at ${p:.2f} per GPU-hour costs ${c:,.0f}.",
            "We used {n} A100 GPUs for {t} days. At ${p:.2f}/GPU-hour the bill was ${c:,.0f}.",
        ]
    )
    return Claim(text=text.format(n=f"{chips:,}", t=days, p=price, c=total), factor=factor)


def named(rng: Random, *, wrong: bool) -> Claim:
    name, (size, data) = rng.choice(list(MODELS.items()))
    factor = pick(rng, (10.0, 0.1, 0.001), wrong=wrong)
    bare = name.split(" ")[0] if name == "PaLM 540B" else name
    if rng.random() < 0.5 and not any(char in name for char in ("65B", "70B", "405B", "180B", "175B", "540B")):
        return Claim(
            text=f"{bare} has {size * (1 if factor in {None, 0.001} else factor or 1):g} billion parameters.",
            factor=None if factor == 0.001 else factor,
        )
    text = rng.choice(
        ["{m} was trained on {d}.", "The makers of {m} trained it on {d} of text.", "{m} saw {d} during pre-training."]
    )
    return Claim(text=text.format(m=name, d=tokens(float(f"{data * 1e12 * (factor or 1.0):.4g}"))), factor=factor)


def energy(rng: Random, *, wrong: bool) -> Claim:
    chips, days, watts = rng.choice([256, 512, 2048]), rng.choice([10, 25, 60]), rng.choice([450, 600, 800])
    factor = pick(rng, (1000.0, 0.001), wrong=wrong)
    total = chips * days * 24 * watts / 1e6 * (factor or 1.0)
    said = (
        f"{total:.3g} MWh"
        if 0.1 <= total < 1000
        else f"{total / 1e3:.3g} GWh"
        if total >= 1000
        else f"{total * 1e3:.3g} kWh"
    )
    text = rng.choice(
        ["Training on {n} GPUs for {t} days consumed {e} of electricity.", "{n} GPUs ran for {t} days and used {e}."]
    )
    return Claim(text=text.format(n=chips, t=days, e=said), factor=factor)


def words(rng: Random, *, wrong: bool) -> Claim:
    data = rng.choice([300e9, 1e12, 2e12, 15e12])
    factor = pick(rng, (16 / 9,), wrong=wrong)
    count = data * 0.75 * (factor or 1.0)
    said = f"{count / 1e12:.3g} trillion words" if count >= 1e12 else f"{count / 1e9:.3g} billion words"
    text = rng.choice(["The corpus holds {d}, or about {w}.", "It was trained on {d} (roughly {w})."])
    return Claim(text=text.format(d=tokens(data), w=said), factor=factor)


KINDS: dict[str, Callable[..., Claim]] = {
    "work": work,
    "hours": hours,
    "memory": memory,
    "peak": peak,
    "money": money,
    "named": named,
    "energy": energy,
    "words": words,
}
