"""From a size and a share of it to a concrete mixture of experts: what a plan with `active_share` needs.

The rule is the fine-grained kind that DeepSeek, Qwen and others build: the dense shape of the active parameters, its
feed-forward part cut into eight experts that each token meets, and as many more beside them as bring the whole up to
the size. The number of experts is a multiple of 8, so that chips can share them out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.model.count import counts
from isoflop.model.parts import Mlp, Moe
from isoflop.model.sizes import shape_for

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec

MET = 8
"""Experts that a token meets: DeepSeek-V3 and Qwen 3 have 8 too."""

MOST = 2048
"""Experts of a layer; published models have up to 512."""


def mixture_for(params: float, active_share: float, *, context: int = 4096) -> ModelSpec:
    """A mixture of about `params` parameters, of which each token meets about `active_share`.

    Exact counts differ by a few percent, by up to 15 % where experts are few: they come in eights. Raises: BadInput for
    a share that is not between 0 and 1, or that needs more than 2,048 experts a layer.

    >>> made = mixture_for(100e9, 0.1)
    >>> made.name, made.stack.groups[0].layer.mlp.experts
    ('100B-A10B', 96)
    """
    if not 0 < active_share < 1:
        raise BadInput(f"active_share = {active_share:g}: a mixture has a share between 0 and 1; a dense model has 1")
    dense = shape_for(params * active_share, context=context)
    group = dense.stack.groups[0]
    mlp = group.layer.mlp
    assert isinstance(mlp, Mlp)
    expert = replace(mlp, width=max(8, round(mlp.width / MET / 8) * 8))
    met = counts(dense).params
    each = group.times * sum(one.params for one in expert.weights(dense.width))
    experts = MET * max(2, round((MET + (params - met) / each) / MET))
    if experts > MOST:
        raise BadInput(
            f"active_share = {active_share:g} of {params:g} parameters takes {experts:,} experts a layer; "
            f"up to {MOST:,} are planned. Give a larger share."
        )
    layer = replace(group.layer, mlp=Moe(experts=experts, active=MET, expert=expert))
    stack = replace(dense.stack, groups=(group._replace(layer=layer),))
    name = f"{shape_for(params).name}-A{dense.name}"
    return replace(dense, name=name, stack=stack)
