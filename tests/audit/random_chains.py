"""Chains made by chance: roots of every kind in every unit and with one to four digits, products and ratios of them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from isoflop.audit.amounts import own_dimensions, tie, tie_factor
from isoflop.quantity import Unit, unit

SLICE = {"slice": unit("chip") * 32}
ROOTS: dict[str, tuple[float, float, tuple[str, ...]]] = {
    "params": (1e8, 1e12, ("param",)),
    "tokens": (1e10, 2e13, ("token",)),
    "chips": (8, 5e4, ("chips", "GPUs")),
    "duration": (3600 * 5, 86400 * 200, ("days", "hours", "weeks")),
    "peak": (5e13, 2e15, ("TFLOP/s/chip",)),
    "share": (0.2, 0.6, ("%",)),
    "price": (1 / 3600, 5 / 3600, ("$/chip/h",)),
    "power": (200, 1200, ("W/chip", "kW/chip")),
    "tariff": (3e-9, 6e-8, ("$/kWh", "$/MWh")),
    "width": (0.5, 18, ("byte/param", "bits/param")),
    "memory": (1.6e10, 2e11, ("GB/chip", "GiB/chip")),
    "bandwidth": (1e11, 8e12, ("TB/s/chip", "GB/s/chip", "Gbit/s/chip")),
    "rack": (1e3, 1e5, ("$/slice",)),
    "work": (2, 8, ("FLOP/param/token",)),
}
SHOWN = {
    "s": ("s", "min", "hours", "days", "years"),
    "byte": ("GB", "TB", "GiB", "MB", "Gbit"),
    "J": ("kWh", "MWh", "GWh"),
    "chip s": ("chip-hours", "GPU-hours", "chip-days"),
}
MOST_DIMENSIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A value as printed and as it is unrounded, in base units with nouns tied."""

    printed: float
    exact: float
    unit: Unit

    def times(self, other: Amount, sign: int) -> Amount:
        """The product, or (-1) the ratio."""
        return Amount(
            printed=self.printed * other.printed**sign,
            exact=self.exact * other.exact**sign,
            unit=(self.unit * other.unit**sign).base,
        )


def written(value: float, text: str, digits: int) -> tuple[str, float]:
    """A value in a unit with so many digits, and what that says."""
    of = unit(text, own_dimensions(SLICE)) if text != "1" else unit("1")
    shown = float(f"{value / of.scale:.{digits - 1}e}")
    if text.startswith("$"):
        return f"${shown:.12g}{text[1:]}", shown * of.scale
    return f"{shown:.12g}{'' if text == '1' else ' ' * (text != '%') + text}", shown * of.scale


def chain(seed: int) -> str:
    """A napkin of eight roots and up to seven implications, all of them right."""
    rng = random.Random(seed)  # noqa: S311 - made to be made again
    lines, known = ["[units]", 'slice = "32 chip"', "[assume]"], dict[str, Amount]()
    for number, name in enumerate(rng.sample(sorted(ROOTS), 8), start=1):
        low, high, units = ROOTS[name]
        text = rng.choice(units)
        shown, value = written(low * (high / low) ** rng.random(), text, rng.choice([1, 2, 2, 3, 3, 4]))
        of = unit(text, own_dimensions(SLICE))
        value *= tie_factor(of, SLICE)
        known[name] = Amount(printed=value, exact=value, unit=tie(of, SLICE).base)
        lines.append(f'{number} = {{ name = "{name}", value = "{shown}" }}')
    lines.append("[imply]")
    steps = [implied(f"step{place}", known, rng) for place in range(7)]
    return "\n".join([*lines, *(line for line in steps if line is not None)])


def implied(step: str, known: dict[str, Amount], rng: random.Random) -> str | None:
    """One more step over two or three that are known, from what is printed or unrounded; None where it has no sense."""
    first, *others = rng.sample(sorted(known), rng.choice([2, 2, 3]))
    expr, found = first, known[first]
    for other in others:
        sign = rng.choice([1, 1, -1])
        expr += f" {'*' if sign > 0 else '/'} {other}"
        found = found.times(known[other], sign)
    dims = found.unit.dims
    if len(dims) > MOST_DIMENSIONS or any(abs(power) > 2 for _, power in dims):
        return None
    text = "1" if found.unit.is_number else rng.choice(SHOWN.get(found.unit.text, (found.unit.text,)))
    shown, value = written(rng.choice([found.printed, found.exact]), text, rng.choice([2, 3, 3, 4]))
    known[step] = Amount(printed=value, exact=found.exact, unit=found.unit)
    return f'{step} = {{ name = "{step}", expr = "{expr}", says = "{shown}" }}'
