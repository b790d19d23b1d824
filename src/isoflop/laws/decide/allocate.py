"""What to train with the compute there is: the best split for a purpose, with its interval and its flat valley."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Infeasible
from isoflop.laws.decide.belief import Belief, Estimate, believed, repeating
from isoflop.laws.decide.budget import Aim, cost_of_bits
from isoflop.laws.splitting import LARGEST, SMALLEST, lowest
from isoflop.quantity import quantity, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from isoflop.laws.entry import Published
    from isoflop.laws.result import Fit
    from isoflop.quantity import FloatArray

_FEWER_DRAWS = 200  # where every trial size needs a search of its own
_HALVINGS = 50
_HALF_DECADE = float(np.log(10.0)) / 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The best split for an aim: params, tokens and loss with intervals of level `aim.level`.

    `train_flops` and `serve_flops` are at the point. `valley` are the params whose loss is within `aim.slack` of the
    best at this compute (or whose compute is, where a loss is asked for). `exponent` is d ln(params) / d ln(flops)
    there; of it and of the split, `..._draws` hold the point and every draw. `plain` is what the same compute would
    buy, or the same loss would take, without demand or limit of data; None where that is the question itself.
    """

    belief: Belief
    aim: Aim
    params: Estimate
    tokens: Estimate
    loss: Estimate
    train_flops: Estimate
    serve_flops: float
    exponent: Estimate | None
    valley: tuple[float, float]
    params_draws: FloatArray
    tokens_draws: FloatArray
    exponent_draws: FloatArray
    plain: Decision | None = None
    warnings: tuple[str, ...] = ()

    @property
    def tokens_per_param(self) -> float:
        """Training tokens for each parameter, at the point."""
        return self.tokens.value / self.params.value

    @property
    def epochs(self) -> float | None:
        """How often the data are seen, at the point; None where their amount is not given."""
        return None if self.aim.unique_tokens is None else self.tokens.value / self.aim.unique_tokens

    def at_its_compute(self) -> Decision:
        """The same decision asked as one of compute: of what reaching the loss takes, where a loss was asked for."""
        if self.aim.flops is not None:
            return self
        total = self.train_flops.value + self.aim.served * self.params.value
        line = _Line(self.belief, replace(self.aim, flops=total, loss=None, within=None))
        return _decided(line, line.best())

    def losses(self, params: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Loss over params at this aim's compute, with its interval: what a picture of the valley draws."""
        line = _Line(self.belief, self.aim)
        every = np.repeat(np.log(params)[:, None], len(self.belief.everything), axis=1)
        with np.errstate(all="ignore"):
            found = np.exp(line.log_loss(every))
        found = np.where(np.isfinite(found), found, np.nan)
        if found.shape[1] < 3:
            return found[:, 0], found[:, 0], found[:, 0]
        tails = (0.5 - self.aim.level / 2, 0.5 + self.aim.level / 2)
        low, high = np.full((2, len(params)), np.nan)
        there = np.isfinite(found[:, 1:]).any(axis=1)
        low[there], high[there] = np.nanquantile(found[there, 1:], tails, axis=1)
        return found[:, 0], np.fmin(low, found[:, 0]), np.fmax(high, found[:, 0])


def allocate(
    law: str | Path | Fit | Published | Belief,
    aim: Aim | float,
    given: Mapping[str, float] | None = None,
) -> Decision:
    """The split of compute with the lowest loss under a law, or the cheapest that reaches a loss.

    `law` is a fit, the path of one, or a published law; `aim` what may be spent and what for (a number is FLOP). Closed
    form for Chinchilla without demand or limit, else a search over ln(params). FLOP are counted as k N D for training
    and s N D for serving; neglects attention, so up to a few percent at long context, and what a served token costs in
    memory traffic: scale `serve_ratio` for it.
    Source: [hoffmann2022 eq. 4], [sardana2024 §2], [muennighoff2023 eq. 5]

    >>> found = allocate("besiroglu2024", 1.094e21)
    >>> f"{found.params.value:.3g} {found.tokens.value:.3g} {found.valley[0]:.2g} to {found.valley[1]:.2g}"
    '2.91e+09 6.27e+10 1.6e+09 to 5.4e+09'
    >>> f"{allocate('besiroglu2024', Aim(flops=1e23, serve_tokens=1e12)).params.value:.3g}"
    '1.49e+10'
    """
    if not isinstance(aim, Aim):
        aim = Aim(flops=float(aim))
    held = dict(given or {}) | ({} if aim.unique_tokens is None else {"unique_tokens": aim.unique_tokens})
    belief = law if isinstance(law, Belief) else believed(law, held)
    aim = replace(aim, flops_per_param_token=aim.flops_per_param_token * cost_of_bits(belief.given))
    if aim.unique_tokens is not None and (aim.epochs is None or aim.epochs > 1):
        belief = repeating(belief, aim.unique_tokens)
    line = _Line(belief, aim)
    if aim.loss is not None and not belief.closed:
        line = _Line(belief.thinned(_FEWER_DRAWS), aim)
    x = line.best()
    return _decided(line, x)


def _decided(line: _Line, x: FloatArray) -> Decision:
    belief, aim = line.belief, line.aim
    tokens = line.tokens(x[None])[0]
    params = np.exp(x)
    with np.errstate(all="ignore"):
        loss = np.exp(line.log_loss(x[None])[0])
    spent = aim.flops_per_param_token * params * tokens
    exponent = _exponent(line)
    estimates = {
        name: belief.estimate(values, aim.level)
        for name, values in (("params", params), ("tokens", tokens), ("train_flops", spent))
    }
    return Decision(
        belief=belief,
        aim=aim,
        **estimates,
        loss=_loss(line, loss, estimates),
        serve_flops=aim.served / aim.serve_ratio * float(params[0]),
        exponent=belief.estimate(exponent, aim.level) if len(exponent) else None,
        params_draws=params,
        tokens_draws=tokens,
        exponent_draws=exponent,
        valley=_valley(line, float(x[0])),
        plain=_plain(line),
        warnings=_warnings(belief, estimates),
    )


def _loss(line: _Line, loss: FloatArray, at: Mapping[str, Estimate]) -> Estimate:
    """The loss with its interval: of a new run where the scatter of runs is known, else of the constants."""
    belief, aim = line.belief, line.aim
    if aim.loss is not None:
        return Estimate(aim.loss, aim.loss, aim.loss)
    if belief.fit is None or aim.flops_samples is not None:
        return belief.estimate(loss, aim.level)
    columns = {name: np.array([value]) for name, value in belief.given.items()}
    columns |= {"params": np.array([at["params"].value]), "tokens": np.array([at["tokens"].value])}
    columns["flops"] = 6.0 * columns["params"] * columns["tokens"]
    columns["tokens_per_param"] = columns["tokens"] / columns["params"]
    middle, low, high = belief.fit.predict_interval(columns, aim.level)
    return Estimate(float(middle[0]), float(low[0]), float(high[0]))


def _plain(line: _Line) -> Decision | None:
    """The same compute, or the same loss, by training alone: without demand and limits; None where there are none."""
    aim, belief = line.aim, line.belief
    if not aim.serve_tokens and aim.unique_tokens is None:
        return None
    if "unique_tokens" in belief.shape.inputs:
        # So many unique tokens that none repeats, whatever the split.
        free = replace(belief, given={**belief.given, "unique_tokens": 1e30})
    else:
        free = belief
    bare = Aim(
        flops=aim.flops,
        loss=aim.loss,
        flops_per_param_token=aim.flops_per_param_token,
        within=aim.within,
        level=aim.level,
    )
    other = _Line(free, bare)
    return _decided(other, other.best())


def _exponent(line: _Line) -> FloatArray:
    """D ln(params) / d ln(flops) of point and draws, in closed form, else over a decade about the compute; or none."""
    belief, aim = line.belief, line.aim
    nothing = np.array([])
    if aim.flops is None:
        return nothing
    if line.is_plain:
        law = belief.closed_form()
        return np.asarray(law.beta / (law.alpha + law.beta), dtype=np.float64)
    ends = []
    for side in (-1.0, 1.0):
        moved = replace(aim, flops=aim.flops * float(np.exp(side * _HALF_DECADE)), flops_samples=None)
        try:
            ends.append(_Line(belief, moved).best())
        except Infeasible:
            return nothing
    found: FloatArray = (ends[1] - ends[0]) / (2 * _HALF_DECADE)
    return found


def _valley(line: _Line, x: float) -> tuple[float, float]:
    """Params on either side of the best at which the loss (or the compute) is `within` above it, at the point."""
    point = _Line(replace(line.belief, draws=np.empty((0, len(line.belief.at)))), replace(line.aim, flops_samples=None))
    limit = float(np.log1p(line.aim.slack))
    best = float(point.height(np.array([[x]]))[0, 0])

    def above(at: float) -> bool:
        with np.errstate(all="ignore"):
            height = float(point.height(np.array([[at]]))[0, 0])
        return not np.isfinite(height) or height - best > limit

    return float(np.exp(_edge(above, x, -1.0))), float(np.exp(_edge(above, x, 1.0)))


def _edge(above: Callable[[float], bool], x: float, side: float) -> float:
    """How far to one side one may go."""
    step = 0.1
    while not above(x + side * step):
        step *= 2.0
        if step > 40.0:  # beyond any model: the loss never rises that high
            return x + side * step
    low, high = 0.0, step
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if above(x + side * middle) else (middle, high)
    return x + side * low


def _warnings(belief: Belief, at: Mapping[str, Estimate]) -> tuple[str, ...]:
    """What to mind; of the quantities beyond the runs only the farthest is told, for they go together."""
    known = belief.fitted_on
    values = {name: at[name].value for name in ("params", "tokens", "train_flops")}
    farthest = max(values, key=lambda name: abs(float(known.decades_outside(name, values[name]))))
    return (*belief.notes, *known.warnings(belief.name, **{farthest: values[farthest]}))


class _Line:
    """The line of splits that an aim leaves, over x = ln(params): points x (1 + draws)."""

    def __init__(self, belief: Belief, aim: Aim) -> None:
        self.belief, self.aim = belief, aim
        count = len(belief.everything)
        if aim.flops is not None:
            self.flops = np.full(count, aim.flops)
            samples = aim.flops_samples
            if samples is not None and count > 1:
                self.flops[1:] = np.resize(samples, count - 1)

    @property
    def is_plain(self) -> bool:
        """Whether the best split has a closed form."""
        aim = self.aim
        return self.belief.closed and aim.flops is not None and not aim.serve_tokens and aim.unique_tokens is None

    def tokens(self, x: FloatArray) -> FloatArray:
        """Training tokens that go with these sizes; nan where there are none."""
        aim, params = self.aim, np.exp(x)
        if aim.flops is None:
            found = self._tokens_for_loss(params)
            return np.where(found <= aim.most_tokens, found, np.nan)
        left = (self.flops / params - aim.served) / aim.flops_per_param_token
        return np.where(left >= 1.0, np.minimum(left, aim.most_tokens), np.nan)

    def log_loss(self, x: FloatArray) -> FloatArray:
        """ln(loss) on the line."""
        found: FloatArray = self.belief.log_loss(np.exp(x).T, self.tokens(x).T).T
        return found

    def height(self, x: FloatArray) -> FloatArray:
        """What is to be lowest: ln(loss), or ln(FLOP) where a loss is asked for."""
        if self.aim.flops is not None:
            return self.log_loss(x)
        return np.log(self.aim.total(np.exp(x), self.tokens(x)))

    def best(self) -> FloatArray:
        """X of the best split, the point first."""
        if self.is_plain:
            split = self.belief.closed_form().allocate(self.flops, self.aim.flops_per_param_token)
            return np.broadcast_to(np.log(np.asarray(split.params)), self.flops.shape).astype(np.float64)
        low = np.full(len(self.belief.everything), SMALLEST)
        high = np.full(low.shape, LARGEST)
        if self.aim.flops is not None:
            room = self.flops / (self.aim.served + self.aim.flops_per_param_token)
            high = np.minimum(high, np.log(np.maximum(room, 1.0)))
        found = lowest(self.height, np.minimum(low, high - 1.0), high)
        with np.errstate(all="ignore"):
            reached = self.height(found.at[None])[0]
        if not np.isfinite(reached[0]) or float(np.exp(found.at[0])) < 1e4:
            raise Infeasible(self._lacking())
        return np.where(np.isfinite(reached), found.at, np.nan)

    def _lacking(self) -> str:
        aim = self.aim
        if aim.flops is not None:
            return (
                f"{write(aim.flops, quantity('train_flops'))} leave nothing to train with once"
                f" {write(max(aim.serve_tokens, 1.0), quantity('serve_tokens'))} are served; spend more or serve less"
            )
        assert aim.loss is not None
        floor = float(np.exp(self.belief.log_loss_at(np.asarray(1e18), np.asarray(min(1e20, aim.most_tokens)))))
        return (
            f"no size reaches a loss of {aim.loss:g} under {self.belief.name}: with all the parameters and tokens there"
            f" are it falls to {floor:.4g}; ask for a higher one"
        )

    def _tokens_for_loss(self, params: FloatArray) -> FloatArray:
        """Tokens at which each size reaches the loss: in closed form, else by halving ln(tokens)."""
        assert self.aim.loss is not None
        if self.belief.closed:
            law = self.belief.closed_form()
            left = self.aim.loss - law.E - law.A * params**-law.alpha
            with np.errstate(all="ignore"):
                return np.where(left > 0, (law.B / left) ** (1.0 / law.beta), np.nan)
        goal = np.log(self.aim.loss)

        def excess(logs: FloatArray) -> FloatArray:
            return np.asarray(self.belief.log_loss(params.T, np.exp(logs).T).T - goal)

        low, high = np.full(params.shape, SMALLEST), np.full(params.shape, np.log(1e22))
        with np.errstate(all="ignore"):
            reachable = excess(high) < 0
            for _ in range(_HALVINGS):
                middle = 0.5 * (low + high)
                short = excess(middle) > 0
                low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.where(reachable, np.exp(high), np.nan)
