"""Chains like the fifth seed document, in other words: built from numbers, with slips planted or left out."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2


@dataclass(frozen=True, kw_only=True)
class Napkin:
    """What a chain is about. `held` is what the rent is for ("64 TPUv4 cores"), `chips` how many chips that are."""

    model: str
    device: str
    held: str
    chips: int
    peak: float
    rent: float
    cost: float
    tokens: float
    vocabulary: int


NAPKINS = (
    Napkin(
        model="GPT5",
        device="TPUv4",
        held="128 TPUv4 cores",
        chips=64,
        peak=275e12,
        rent=67_698,
        cost=250e6,
        tokens=12e12,
        vocabulary=100_000,
    ),
    Napkin(
        model="BigLM",
        device="TPU v3",
        held="32 TPU v3 cores",
        chips=16,
        peak=123e12,
        rent=23_360,
        cost=5e6,
        tokens=600e9,
        vocabulary=32_000,
    ),
    Napkin(
        model="Titan",
        device="H100",
        held="8 H100 GPUs",
        chips=8,
        peak=989e12,
        rent=17_520,
        cost=40e6,
        tokens=9e12,
        vocabulary=128_000,
    ),
    Napkin(
        model="Atlas",
        device="A100",
        held="16 A100 GPUs",
        chips=16,
        peak=312e12,
        rent=14_016,
        cost=2e6,
        tokens=300e9,
        vocabulary=50_000,
    ),
    Napkin(
        model="Zephyr",
        device="TPUv5p",
        held="256 TPUv5p cores",
        chips=128,
        peak=459e12,
        rent=196_224,
        cost=80e6,
        tokens=6e12,
        vocabulary=256_000,
    ),
    Napkin(
        model="Comet",
        device="B200",
        held="72 B200 chips",
        chips=72,
        peak=2250e12,
        rent=210_240,
        cost=600e6,
        tokens=20e12,
        vocabulary=200_000,
    ),
    Napkin(
        model="Nova",
        device="MI300X",
        held="64 MI300X GPUs",
        chips=64,
        peak=1307e12,
        rent=116_800,
        cost=12e6,
        tokens=2e12,
        vocabulary=64_000,
    ),
)


def money(value: float) -> str:
    return f"${value / 1e6:g}m" if value >= 1e6 else f"${value:,.0f}"


def count(value: float) -> str:
    return f"{value / 1e12:g}T" if value >= 1e12 else f"{value / 1e9:g}B" if value >= 1e9 else f"{value / 1e3:g}k"


def sci(value: float, digits: int = 3) -> str:
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power)}"


MONTH = 730.5 * 3600


def build(napkin: Napkin, *, style: int = 0, slips: frozenset[str] = frozenset()) -> tuple[str, dict[str, float]]:
    """The text, and the factor (says / right) of each slip that is in it, by the number of its step."""
    one = napkin
    said_cost = one.cost / 2 if "citation" in slips else one.cost
    forgot = 1 if "chips" in slips else one.chips
    per_usd = float(sci(one.peak * forgot * MONTH / one.rent))
    tokens_per_usd = one.tokens / one.cost
    per_flop = float(sci(tokens_per_usd / per_usd))
    per_token = float(sci(1 / per_flop)) * (100 if "decimal" in slips else 1)
    params = float(sci(per_token / (2 if "forward" in slips else 6)))
    factors: dict[str, float] = {}
    if "citation" in slips:
        factors["citation"] = 2.0
    if "chips" in slips:
        factors["chips"] = 1 / one.chips
    if "decimal" in slips:
        factors["decimal"] = 100.0
    if "forward" in slips:
        factors["forward"] = 3.0
    bits = one.tokens * one.vocabulary
    if "bits" in slips:
        factors["bits"] = one.vocabulary / log2(one.vocabulary)
    values = {
        "model": one.model,
        "device": one.device,
        "held": one.held,
        "cost": money(one.cost),
        "said": money(said_cost),
        "tokens": count(one.tokens),
        "vocab": count(one.vocabulary),
        "rent": f"${one.rent:,.0f}",
        "peak": f"{one.peak / 1e12:g}",
        "per_usd": sci(per_usd),
        "tokens_per_usd": sci(tokens_per_usd),
        "per_flop": sci(per_flop),
        "per_token": sci(per_token),
        "params": sci(params),
        "k": "2" if "forward" in slips else "6",
        "bits": sci(bits),
    }
    text = STYLES[style].format(**values)
    if "bits" not in slips:
        text = "\n".join(line for line in text.split("\n") if "bits" not in line)
    return text, factors


STYLES = (
    """### Statements

1. The run was said to cost {said}, on {tokens} tokens.

2. {model} has a vocabulary of {vocab} tokens.

3. {held} cost {rent} / month.

4. Peak compute of one {device} is {peak} teraflops.

### Assumptions

6. {model} cost {cost} *(1)*

7. {model} trained on {tokens} tokens *(1)*

8. {model} uses {vocab} vocab size *(2)*

9. {held} cost {rent} / month at best *(3)*

10. The {device} provides {peak} teraflops *(4)*

### Implications

13. {tokens} tokens *(7)* &times; {vocab} vocab size *(8)* = {bits} bits of data

15. {tokens} tokens *(7)* &div; {cost} *(6)* = {tokens_per_usd} tokens/$

16. A {device} offers {peak} [teraflops / sec] *(10)* &times; 1 month &div; {rent} *(9)* = {per_usd} flops/$

17. {tokens_per_usd} tokens/$ *(15)* &div; ({per_usd} flops/$) *(16)* = {per_flop} training tokens / flop

18. 1 / ({per_flop} training tokens / flop) *(17)* = {per_token} flops / training token

20. {model} has {per_token} flops per training token *(18)* / {k} [operations per parameter] = {params} parameters
""",
    """## What is known

1) Insiders put the budget at {said} and the data at {tokens} tokens.
2) The tokenizer has a vocabulary of {vocab} words.
3) {held}: {rent} / month with a long contract.
4) Peak rate per chip: {peak} TFLOP/s.

## Assumptions

6) The run cost {cost} (1)
7) It saw {tokens} tokens (1)
8) The vocabulary has {vocab} entries (2)
9) {held} cost {rent} / month (3)
10) Each {device} does {peak} TFLOP/s (4)

## Conclusions

13) {tokens} tokens (7) × {vocab} vocabulary (8) = {bits} bits of training data
15) Data for a dollar: {tokens} tokens (7) / {cost} (6) = {tokens_per_usd} tokens/$
16) Work for a dollar: {peak} TFLOP/s (10) × 1 month / {rent} (9) = {per_usd} FLOP/$
17) {tokens_per_usd} tokens/$ (15) / {per_usd} FLOP/$ (16) = {per_flop} tokens/FLOP
18) 1 / {per_flop} tokens/FLOP (17) = {per_token} FLOP/token
20) {per_token} FLOP/token (18) / {k} [FLOP per parameter] = {params} parameters
""",
    """### Given

4. One {device} peaks at {peak} teraFLOPS.
3. The price of {held} is {rent} per month.
1. People say it was {said} for {tokens} tokens.
2. Vocabulary: {vocab} tokens.

### Assumptions

10. A {device} gives {peak} teraFLOPS [4]
9. {held} cost {rent} per month [3]
7. Training used {tokens} tokens [1]
6. The budget is {cost} [1]
8. We take {vocab} vocab entries [2]

### Implications

13. {tokens} tokens [7] * {vocab} vocab entries [8] = {bits} bits
16. {peak} teraFLOP/s [10] * 1 month / {rent} [9] = {per_usd} FLOP/$
15. {tokens} tokens [7] / {cost} [6] = {tokens_per_usd} tokens/$
17. {tokens_per_usd} tokens/$ [15] / {per_usd} FLOP/$ [16] = {per_flop} tokens/FLOP
18. 1 / {per_flop} tokens/FLOP [17] = {per_token} FLOP/token
20. {per_token} FLOP/token [18] / {k} FLOP/param = {params} params
""",
)
STEPS = {"citation": "6", "bits": "13", "chips": "16", "decimal": "18", "forward": "20"}
CLASSES = {
    "citation": "citation",
    "bits": "information",
    "chips": "noun_left_out",
    "decimal": "decimal_slip",
    "forward": "forward_for_training",
}
