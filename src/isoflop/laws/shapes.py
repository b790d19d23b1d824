"""Every law that can be fitted, by name. A sum of powers is one table here; other laws are classes in curves.py."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.errors import UnknownName
from isoflop.laws.bowl import Tuned
from isoflop.laws.curves import (
    OF_PARAMS,
    OF_TOKENS,
    PLAIN,
    ROOT,
    DataConstrained,
    Downstream,
    Farseer,
    KaplanJoint,
    MoeClark,
    Precision,
)
from isoflop.laws.curves_after import DownstreamSigmoid, PrecisionAfter
from isoflop.laws.shape import EXPONENT, Power, PowerSum, Term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.shape import Shape

ONE = MappingProxyType({"alpha": EXPONENT})
BOTH = MappingProxyType({"alpha": EXPONENT, "beta": EXPONENT})


def _power(column: str) -> Term:
    return Term(scale="ln_A", powers=(Power(column=column, exponent="alpha"),))


TIED = PowerSum(
    name="chinchilla-tied",
    title="Loss = E + A / params^alpha + B / tokens^alpha",
    coordinates=("ln_E", "ln_A", "ln_B", "alpha"),
    terms=(ROOT, OF_PARAMS, Term(scale="ln_B", powers=(Power(column="tokens", exponent="alpha"),))),
    source="muennighoff2023",
    bounds=ONE,
)

SINGLE = tuple(
    PowerSum(
        name=f"kaplan-{column}",
        title=f"Loss = A / {column}^alpha, that is (scale / {column})^alpha",
        coordinates=("ln_A", "alpha"),
        terms=(_power(column),),
        source="kaplan2020",
        bounds=ONE,
    )
    for column in ("params", "tokens", "flops")
)

FLOORED = tuple(
    PowerSum(
        name=f"power-{column}",
        title=f"Loss = E + A / {column}^alpha",
        coordinates=("ln_E", "ln_A", "alpha"),
        terms=(ROOT, _power(column)),
        source="henighan2020",
        bounds=ONE,
    )
    for column in ("params", "tokens", "flops")
)

OVERTRAINING = PowerSum(
    name="overtraining",
    title="Loss = E + (a M^eta + b M^-eta) / flops^eta, M tokens per param",
    coordinates=("ln_E", "ln_a", "ln_b", "eta"),
    terms=(
        ROOT,
        *(
            Term(
                scale=scale,
                powers=(
                    Power(column="tokens_per_param", exponent="eta", sign=sign),
                    Power(column="flops", exponent="eta"),
                ),
            )
            for scale, sign in (("ln_a", 1.0), ("ln_b", -1.0))
        ),
    ),
    source="gadre2024",
    bounds=MappingProxyType({"eta": EXPONENT}),
)

FINE_GRAINED = PowerSum(
    name="moe-fine-grained",
    title="Loss = c + (g / G^gamma + a) / params^alpha + b / tokens^beta, G the granularity of the experts",
    coordinates=("ln_E", "ln_A", "ln_B", "alpha", "beta", "ln_g", "gamma"),
    terms=(
        ROOT,
        OF_PARAMS,
        OF_TOKENS,
        Term(
            scale="ln_g",
            powers=(Power(column="granularity", exponent="gamma"), Power(column="params", exponent="alpha")),
        ),
    ),
    source="krajewski2024",
    bounds=MappingProxyType({**BOTH, "gamma": EXPONENT}),
)

SIGNED = (-1.5, 3.0)
"""Where an exponent is looked for that may have either sign."""

INTERACTION = PowerSum(
    name="interaction",
    title="Loss = E + A / params^alpha + B / (params^gamma tokens^beta)",
    coordinates=("ln_E", "ln_A", "ln_B", "alpha", "beta", "gamma"),
    terms=(
        ROOT,
        OF_PARAMS,
        Term(scale="ln_B", powers=(Power(column="tokens", exponent="beta"), Power(column="params", exponent="gamma"))),
    ),
    bounds=MappingProxyType({**BOTH, "gamma": SIGNED}),
)

OVERFITTED = PowerSum(
    name="overfitted",
    title="Loss = E + A / params^alpha + B / tokens^beta + C params^delta tokens^eta / unique_tokens^gamma",
    coordinates=("ln_E", "ln_A", "ln_B", "alpha", "beta", "ln_C", "delta", "eta", "gamma"),
    terms=(
        ROOT,
        OF_PARAMS,
        OF_TOKENS,
        Term(
            scale="ln_C",
            powers=(
                Power(column="params", exponent="delta", sign=1.0),
                Power(column="tokens", exponent="eta", sign=1.0),
                Power(column="unique_tokens", exponent="gamma"),
            ),
        ),
    ),
    bounds=MappingProxyType({**BOTH, "gamma": SIGNED, "delta": SIGNED, "eta": SIGNED}),
)

UNIQUE = PowerSum(
    name="unique-tokens",
    title="Loss = E + A / params^alpha + B / tokens^beta + C / unique_tokens^gamma",
    coordinates=("ln_E", "ln_A", "ln_B", "alpha", "beta", "ln_C", "gamma"),
    terms=(
        ROOT,
        OF_PARAMS,
        OF_TOKENS,
        Term(scale="ln_C", powers=(Power(column="unique_tokens", exponent="gamma"),)),
    ),
    bounds=MappingProxyType({**BOTH, "gamma": EXPONENT}),
)

MOE_POWER = PowerSum(
    name="moe-power",
    title="Loss = E + A / (params^alpha experts^gamma)",
    coordinates=("ln_E", "ln_A", "alpha", "gamma"),
    terms=(
        ROOT,
        Term(
            scale="ln_A", powers=(Power(column="params", exponent="alpha"), Power(column="experts", exponent="gamma"))
        ),
    ),
    bounds=MappingProxyType({**ONE, "gamma": EXPONENT}),
)

MOE_TOKENS = PowerSum(
    name="moe-tokens",
    title="Loss = E + A / (params^alpha experts^gamma) + B / tokens^beta",
    coordinates=("ln_E", "ln_A", "ln_B", "alpha", "beta", "gamma"),
    terms=(
        ROOT,
        Term(
            scale="ln_A", powers=(Power(column="params", exponent="alpha"), Power(column="experts", exponent="gamma"))
        ),
        OF_TOKENS,
    ),
    bounds=MappingProxyType({**BOTH, "gamma": EXPONENT}),
)

WIDTH_DEPTH = PowerSum(
    name="width-depth",
    title="Loss = E + A / width^alpha + B / depth^beta + C / tokens^gamma",
    coordinates=("ln_E", "ln_A", "ln_B", "ln_C", "alpha", "beta", "gamma"),
    terms=(
        ROOT,
        _power("width"),
        Term(scale="ln_B", powers=(Power(column="depth", exponent="beta"),)),
        Term(scale="ln_C", powers=(Power(column="tokens", exponent="gamma"),)),
    ),
    source="mcleish2025",
    bounds=MappingProxyType({**BOTH, "gamma": EXPONENT}),
)

_ALL: tuple[Shape, ...] = (
    PLAIN,
    TIED,
    *SINGLE,
    KaplanJoint(),
    *FLOORED,
    OVERTRAINING,
    DataConstrained(),
    Farseer(),
    Precision(),
    PrecisionAfter(),
    MoeClark(),
    FINE_GRAINED,
    WIDTH_DEPTH,
    INTERACTION,
    OVERFITTED,
    UNIQUE,
    MOE_POWER,
    MOE_TOKENS,
    Tuned(),
    Tuned(batch="batch_sequences"),
    Downstream(),
    DownstreamSigmoid(),
)

SHAPES: Mapping[str, Shape] = MappingProxyType({shape.name: shape for shape in _ALL})
"""By name; every one of them is taken by `isoflop laws fit --law`."""


def shape_of(name: str | Shape) -> Shape:
    """The shape of that name; a shape of one's own is taken as it is."""
    if not isinstance(name, str):
        return name
    wanted = name.strip().lower().replace("_", "-")
    if wanted not in SHAPES:
        raise UnknownName("law form", name, SHAPES, listing="isoflop laws forms")
    return SHAPES[wanted]
