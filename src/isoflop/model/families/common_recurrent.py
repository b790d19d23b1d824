"""Mixers that several families share: both Mambas, delta rules, short convolutions; and lists that name each layer's.

Each function says what a token passes and keeps, in numbers; which fields they come from is the families' matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from isoflop.model.parts import Convolution, Linear, Recurrent, vector

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from isoflop.model.fields import Fields

LINEAR, FULL, HYBRID, CONV = "linear_attention", "full_attention", "hybrid", "conv"
_OLDER = {"mamba": LINEAR, "attention": FULL}


def kinds(
    fields: Fields, *names: str, layers: int | None, known: Collection[str] = (LINEAR, FULL)
) -> tuple[str, ...] | None:
    """What each layer is where a list says so, in today's words; None without one. Others than `known` are doubted."""
    listed = fields.words(*names, length=layers)
    if listed is None:
        return None
    found = tuple(_OLDER.get(kind, kind) for kind in listed)
    unknown = sorted(set(found) - set(known))
    if unknown:
        fields.doubt(f"{names[0]} holds {', '.join(unknown)}, which is not known here")
    return found


def recurrent(  # noqa: PLR0913 - what a recurrence is made of
    part: str,
    matrices: Mapping[str, tuple[int, int]],
    vectors: Mapping[str, int],
    *,
    memory: tuple[int, int, int],
    products: Literal[1, 2, 3] = 2,
    convolutions: tuple[Convolution, ...] = (),
    biased: Collection[str] = (),
    shifts: int = 0,
    beside: int = 0,
) -> Recurrent:
    """A mixer from its tables; `memory` is heads, width of keys, width of values, `biased` names matrices."""
    heads, keys, values = memory
    linear = (
        Linear(name=name, inputs=rows, outputs=columns, bias=name in biased)
        for name, (rows, columns) in matrices.items()
    )
    return Recurrent(
        part=part,
        projections=(*linear, *(vector(name, size) for name, size in vectors.items() if size)),
        heads=heads,
        key_width=keys,
        value_width=values,
        products=products,
        convolutions=convolutions,
        shifts=shifts,
        beside=beside,
    )


def mamba1(  # noqa: PLR0913 - the numbers of a layer
    *, width: int, inner: int, state: int, rank: int, kernel: int, bias: bool, conv_bias: bool, norms: bool = False
) -> Recurrent:
    """Mamba: a memory of `state` numbers for each of `inner` channels; `rank` is the step's; `norms`: Jamba's three."""
    return recurrent(
        "mamba",
        {"in": (width, 2 * inner), "x": (inner, rank + 2 * state), "step": (rank, inner), "out": (inner, width)},
        {"decay": inner * state, "skip": inner, "inner norms": rank + 2 * state if norms else 0},
        memory=(inner, state, 1),
        convolutions=(Convolution(channels=inner, kernel=kernel, bias=conv_bias),),
        biased={"step", "in", "out"} if bias else {"step"},
    )


def mamba2(  # noqa: PLR0913 - the numbers of a layer
    *,
    width: int,
    heads: int,
    head_width: int,
    groups: int,
    state: int,
    kernel: int,
    bias: bool,
    conv_bias: bool,
    out_bias: bool | None = None,
    norm: bool = True,
) -> Recurrent:
    """Mamba-2: a memory of `state` x `head_width` a head; keys and queries are shared by the heads of a group."""
    inner, convolved = heads * head_width, heads * head_width + 2 * groups * state
    last = bias if out_bias is None else out_bias
    return recurrent(
        "mamba2",
        {"in": (width, inner + convolved + heads), "out": (inner, width)},
        {"step bias": heads, "decay": heads, "skip": heads, "norm": inner if norm else 0},
        memory=(heads, state, head_width),
        convolutions=(Convolution(channels=convolved, kernel=kernel, bias=conv_bias),),
        biased={name for name, there in (("in", bias), ("out", last)) if there},
    )


def mamba1_layers(fields: Fields, width: int, *, norms: bool = False) -> Recurrent:
    """Mamba by the names of Jamba and Zamba."""
    return mamba1(
        width=width,
        inner=fields.count("mamba_expand") * width,
        state=fields.count("mamba_d_state"),
        rank=fields.auto("mamba_dt_rank", value=-(-width // 16)),
        kernel=fields.count("mamba_d_conv"),
        bias=fields.flag("mamba_proj_bias", default=False),
        conv_bias=fields.flag("mamba_conv_bias", default=True),
        norms=norms,
    )


def mamba2_layers(fields: Fields, width: int, *, norm: bool = True, inner: int | None = None) -> Recurrent:
    """Mamba-2 by the names of Bamba, Granite 4 and Falcon-H1."""
    heads = fields.count("mamba_n_heads")
    inside = inner or fields.count("mamba_expand") * width
    fields.ignore("mamba_expand")
    head_width = fields.auto("mamba_d_head", value=inside // heads)
    if head_width * heads != inside:
        fields.doubt(f"mamba_n_heads x mamba_d_head = {head_width * heads}, and the inner width is {inside}")
    bias = fields.flag("mamba_proj_bias", default=False)
    return mamba2(
        width=width,
        heads=heads,
        head_width=head_width,
        groups=fields.count("mamba_n_groups"),
        state=fields.count("mamba_d_state"),
        kernel=fields.count("mamba_d_conv"),
        bias=bias,
        conv_bias=fields.flag("mamba_conv_bias", default=True),
        out_bias=fields.flag("projectors_bias", default=bias),
        norm=norm,
    )


def gated_delta(
    *, width: int, key_heads: int, value_heads: int, key_width: int, value_width: int, kernel: int
) -> Recurrent:
    """The gated delta rule: a matrix for each value head, one decay a head, a gate on every element of the output."""
    keys, values = key_heads * key_width, value_heads * value_width
    return recurrent(
        "gated delta net",
        {
            "q": (width, keys),
            "k": (width, keys),
            "v": (width, values),
            "gate": (width, values),
            "write": (width, value_heads),
            "decay": (width, value_heads),
            "o": (values, width),
        },
        {"decay bias": value_heads, "decay rate": value_heads, "o norm": value_width},
        memory=(value_heads, key_width, value_width),
        products=3,
        convolutions=(Convolution(channels=2 * keys + values, kernel=kernel),),
    )


def kimi_delta(*, width: int, heads: int, head_width: int, kernel: int, narrow: bool = True) -> Recurrent:
    """Kimi's delta attention: a decay for every channel and a gate, both through a `narrow` matrix or a full one."""
    inner = heads * head_width
    matrices = dict.fromkeys("qkv", (width, inner)) | {"write": (width, heads), "o": (inner, width)}
    for name in ("decay", "gate"):
        if narrow:
            matrices |= {f"{name} down": (width, head_width), f"{name} up": (head_width, inner)}
        else:
            matrices[name] = (width, inner)
    return recurrent(
        "delta attention",
        matrices,
        {"decay bias": inner, "decay rate": heads, "o norm": head_width},
        memory=(heads, head_width, head_width),
        products=3,
        convolutions=(Convolution(channels=3 * inner, kernel=kernel),),
    )


def short_convolution(*, width: int, kernel: int, bias: bool) -> Recurrent:
    """LFM's: three projections, two of them gates before and after a convolution; no memory beside its inputs."""
    return recurrent(
        "short convolution",
        {"in": (width, 3 * width), "out": (width, width)},
        {},
        memory=(0, 0, 0),
        convolutions=(Convolution(channels=width, kernel=kernel, bias=bias),),
        biased={"in", "out"} if bias else (),
    )
