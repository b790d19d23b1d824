"""The charts of a plan: loss against compute with the plan's point and valley; the training state as a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import MissingData
from isoflop.report.chart_loss import Curve, PlanPoint, Valley, loss_chart
from isoflop.report.chart_memory import memory_chart

if TYPE_CHECKING:
    import altair as alt

    from isoflop.ask import Plan
    from isoflop.laws import Law, Published
    from isoflop.report.chart_theme import Mode

_DECADES = 2.0  # of compute on either side of the plan
_POINTS = 81
_DRAWS = 2000


def plan_chart(
    plan: Plan, kind: Literal["loss", "memory"] = "loss", *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """One of the charts of a plan. Raises MissingData for a loss chart where the plan's law gives no loss."""
    if kind == "memory":
        return memory_chart(plan.memory, width=width, mode=mode)
    published, answer = plan.question.law, plan.answers.get("loss")
    if published is None or answer is None or plan.valley is None:
        raise MissingData("this plan expects no loss, so no curve is drawn: give a law that does, law=besiroglu2024")
    flops = plan.value("train_flops")
    point = PlanPoint(compute=flops, loss=answer.value, low=answer.low, high=answer.high)
    valley = _valley(published.law, flops, plan.valley)
    return loss_chart([_curve(published, flops)], point, valley, width=width, mode=mode)


def _curve(published: Published, flops: float) -> Curve:
    """The law's best loss over compute around the plan, with the band of its constants where their spread is known."""
    compute = flops * np.logspace(-_DECADES, _DECADES, _POINTS)
    best = published.law.allocate(compute)
    low = high = np.empty(0)
    if published.has_draws:
        drawn = published.draws(np.random.default_rng(0), _DRAWS)
        params, tokens = np.asarray(best.params)[:, None], np.asarray(best.tokens)[:, None]
        low, high = np.percentile(drawn.loss(params, tokens), (5, 95), axis=1)
    return Curve(
        name=published.title,
        compute=compute.tolist(),
        loss=np.asarray(best.loss).tolist(),
        low=low.tolist(),
        high=high.tolist(),
    )


def _valley(law: Law, flops: float, edges: tuple[float, float]) -> Valley:
    """Loss over model size at the plan's compute, somewhat beyond the valley on both sides."""
    from isoflop.laws import FLOPS_PER_PARAM_TOKEN

    low, high = edges
    params = np.geomspace(low / 3, high * 3, _POINTS)
    loss = law.loss(params, flops / (FLOPS_PER_PARAM_TOKEN * params))
    best = float(law.allocate(flops).params)
    return Valley(params=params.tolist(), loss=np.asarray(loss).tolist(), best=best, low=low, high=high)
