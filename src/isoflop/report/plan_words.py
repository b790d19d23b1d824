"""The sentences of a plan: one function a row, None where the plan has nothing to say there."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from isoflop.laws import WITHIN
from isoflop.quantity import quantity, write, write_centred, write_interval
from isoflop.report.blocks import Row
from isoflop.report.words import percent

if TYPE_CHECKING:
    from isoflop.ask import Plan
    from isoflop.relation import Answer, Step

_NOTICEABLE = 0.01
_NARROW = frozenset({"fp8", "fp4", "nvfp4", "mxfp8", "mxfp4", "int8"})
REPEATING = "repeated2023"
_ROUNDING = 1 + 1e-9
_LARGER = 1.5  # a batch above the law's by more than rounding to the chips


def say(value: float, name: str, digits: int = 3, *, shown: str = "") -> str:
    """A value in base units of the quantity `name`, for people."""
    return write(value, quantity(name), digits, shown=shown)


def _said(answer: Answer, digits: int = 3) -> str:
    """A value with its interval, where it has one."""
    if answer.low == answer.high:
        return say(answer.value, answer.quantity, digits)
    return write_centred(answer.value, answer.low, answer.high, quantity(answer.quantity), digits)


def _step(plan: Plan, name: str) -> Step | None:
    """The derivation's step that gives a quantity."""
    return next((step for step in plan.steps if step.gives == name), None)


def _ref(plan: Plan, name: str) -> str:
    step = _step(plan, name)
    return f"[{step.number}]" if step else ""


def _chips(number: int) -> str:
    return f"{number:,} chip{'s' if number > 1 else ''}"


def bought_row(plan: Plan) -> Row | None:
    """What the money buys, or what the run costs."""
    time, cost, price = plan.answers.get("chip_time"), plan.answers.get("train_cost"), _step(plan, "price")
    if time is None:
        return None
    device = f" of {plan.question.device.title}" if plan.question.device else ""
    hours = f"{_said(time)}{device}"
    if cost is None:
        return Row(
            label="needs",
            value=hours,
            remark="no price is known: give --price '$2/chip/h'",
            ref=_ref(plan, "chip_time"),
        )
    remark = ""
    if price is not None:
        where = ", as given" if price.kind == "given" else f": {price.note}"
        remark = f"{say(price.value, 'price', 4)}{where}"
    if plan.limit.by == "budget":
        label = f"{say(cost.value, 'train_cost')} buys"
        return Row(label=label, value=hours, remark=f"{remark}{_rest(plan)}", ref=_ref(plan, "chip_time"))
    return Row(label="costs", value=_said(cost), remark=f"{hours} at {remark}", ref=_ref(plan, "train_cost"))


def _rest(plan: Plan) -> str:
    """Of a budget that is to pay for serving too: what training leaves, and for what."""
    budget, served = plan.limit.budget, plan.question.fact("serve_tokens")
    left = budget - plan.value("train_cost") if budget is not None else 0.0
    if budget is None or served is None or left <= budget * _NOTICEABLE:
        return ""
    return (
        f"; of {say(budget, 'train_cost')}, {say(left, 'train_cost')} are left to serve "
        f"{say(served.spread.median, 'serve_tokens')} tokens at the same utilisation"
    )


def work_row(plan: Plan) -> Row:
    """The training work, and the utilisation it assumes."""
    flops = plan.answers["train_flops"]
    value = f"{say(flops.value, 'train_flops')} = {say(flops.value, 'train_flops', shown='PF-days')}"
    mfu, remark = _step(plan, "mfu"), ""
    if mfu is not None:
        spread = f" ({write_interval(mfu.low, mfu.high, quantity('mfu'))})" if mfu.low != mfu.high else ""
        assumed = f", assumed: {mfu.note}" if mfu.kind == "default" and mfu.note else ""
        if plan.predicted is not None:
            usual = plan.predicted.practice
            assumed = ", predicted from the layout below"
            assumed += f"; runs like it reach {usual:.0%} in practice" if usual is not None else ""
        remark = f"at MFU {say(mfu.value, 'mfu')}{spread}{assumed}"
    label = "that do" if plan.limit.by == "budget" else "work"
    return Row(label=label, value=value, remark=remark, ref=_ref(plan, "train_flops"))


def split_row(plan: Plan) -> Row:
    """Parameters and tokens, whose idea they are, and how wide the valley is."""
    params, tokens = plan.answers["params"], plan.answers["tokens"]
    value = f"{say(params.value, 'params')} parameters, {say(tokens.value, 'tokens')} tokens"
    remarks = []
    if plan.verdict is not None:
        wanted, ratio = float(plan.verdict.optimum.tokens_per_param), plan.verdict.tokens_per_param
        said = f"{say(ratio, 'tokens_per_param').partition(' ')[0]} tokens per parameter"
        remarks.append(f"{plan.verdict.kind}: {said}; {wanted:.3g} are best for this compute")
    elif plan.question.law is not None:
        served = plan.question.fact("serve_tokens") is not None
        remarks.append(f"{plan.question.law.title}{', with what is served counted in' if served else ''}")
    if plan.repeats is not None:
        remarks.append(f"{plan.repeats.epochs:.3g} epochs of {say(plan.repeats.unique, 'unique_tokens')} tokens")
    if plan.valley is not None:
        within = f"within {percent(WITHIN)} of {'the' if plan.verdict is None else 'its'} best loss"
        remarks.append(f"{within}: {write_interval(*plan.valley, quantity('params'), 2)}")
    decided = plan.verdict is None and plan.limit.by != "work"
    label = "best spent on" if decided else "trains"
    return Row(label=label, value=value, remark="; ".join(remarks), ref=_ref(plan, "params"))


def loss_row(plan: Plan) -> Row | None:
    """The expected loss, and what other laws would have done with the same work."""
    loss = plan.answers.get("loss")
    if loss is None:
        return None
    rules = [f"{rule.name}: {say(rule.params, 'params', 2)} on {say(rule.tokens, 'tokens', 2)}" for rule in plan.rules]
    label = "for loss" if plan.limit.by == "loss" else "expect loss"
    remark = f"other splits: {'; '.join(rules)}" if rules else ""
    return Row(label=label, value=_said(loss), remark=remark, ref=_ref(plan, "loss"))


def shape_row(plan: Plan) -> Row:
    """A concrete shape and its exact count."""
    from isoflop.model import counts

    spec, exact = plan.shape, counts(plan.shape).params
    mixers = [mixer for _, mixer in spec.stack.attentions()]
    heads = f", {mixers[0].heads} heads of {mixers[0].head_width}" if mixers else ""
    if mixers and mixers[0].kv_heads != mixers[0].heads:
        heads += f", {mixers[0].kv_heads} KV heads"
    named = f"{spec.name}: " if plan.question.model is not None else "for example: "
    remark = f"{named}{exact:,} parameters, vocabulary {spec.vocabulary:,}"
    return Row(label="shape", value=f"{spec.layers} layers x {spec.width}{heads}", remark=remark)


def layout_row(plan: Plan) -> Row | None:
    """The layout that the utilisation is from."""
    found = plan.predicted
    if found is None:
        return None
    again = [policy for policy in found.run.recipe.recompute if policy != "none"]
    value = found.layout.words() + (f", recompute {' and '.join(again)}" if again else "")
    step = write_centred(found.step, found.low, found.high, quantity("step_time"))
    own = found.profile if found.measured else f"{found.profile} profile: none of its own, so a wide interval"
    remark = (
        f"{say(found.memory, 'peak_memory').replace('/chip', '')} of "
        f"{say(found.capacity, 'peak_memory').replace('/chip', '')} a chip at the 95 % point; step {step} for "
        f"{say(found.run.batch * found.run.sequence, 'batch_tokens', 2)} tokens ({own}); goodput "
        f"{percent(found.goodput)} assumed"
    )
    larger = found.run.batch * found.run.sequence / float(plan.settings.batch_tokens)
    if larger > _LARGER:
        remark += f"; a batch {larger:.2g} times the law's below, so that so many chips have enough to do"
    return Row(label="layout", value=value, remark=remark)


def memory_row(plan: Plan) -> Row:
    """The training state held against the fleet's memory."""
    total, limit = plan.memory.total, plan.memory.limit
    value = f"{say(total, 'train_state_bytes')} of training state"
    if limit is None or plan.fleet is None:
        return Row(label="memory", value=value, remark="weights, gradients, Adam; activations come on top")
    chips, hold = _chips(plan.fleet.chips), "holds" if plan.fleet.chips == 1 else "hold"
    if total > limit:
        remark = f"does not fit: {chips} {hold} {say(limit, 'train_state_bytes')}, and activations come on top"
    else:
        remark = f"{percent(total / limit)} of what {chips} {hold}, when sharded; activations come on top"
    return Row(label="memory", value=value, remark=remark)


def time_row(plan: Plan) -> Row | None:
    """How long on how many chips."""
    fleet, time = plan.fleet, plan.answers.get("chip_time")
    if fleet is None or time is None:
        return None
    value = say(fleet.time, "train_time")
    if time.low != time.high:
        value += f" ({write_interval(time.low / fleet.chips, time.high / fleet.chips, quantity('train_time'))})"
    remark = f"on {_chips(fleet.chips)}"
    if fleet.unit_chips > 1:
        plain = fleet.unit_name.isalpha()  # a word, not the name of a product
        several = f"{fleet.units:,} {fleet.unit_name}s" if plain else f"{fleet.units:,} x {fleet.unit_name}"
        remark += f" = {several if fleet.units > 1 else f'one {fleet.unit_name}'}"
    if fleet.chosen and plan.limit.deadline is not None:
        remark += "; as many as keep the deadline"
    elif fleet.chosen:
        within = say(plan.longest, "train_time")
        remark += f"; no deadline was given: as many as finish within {within} and hold the training state"
        remark += _other_times(plan)
    return Row(label="takes", value=value, remark=remark, ref=_ref(plan, "chip_time"))


def _other_times(plan: Plan) -> str:
    """Why it is so many chips: what other times would have come to."""
    others = [one for one in plan.durations if one.time != plan.longest]
    if not others:
        return ""
    said = [f"{say(one.time, 'train_time')}: {one.chips:,} at {percent(one.mfu)}" for one in others]
    return f". Of a batch each chip has too little where they are many; other times, chips and MFU: {'; '.join(said)}"


def energy_row(plan: Plan) -> Row | None:
    """Energy and emissions."""
    energy, emissions = plan.answers.get("train_energy"), plan.answers.get("train_emissions")
    if energy is None:
        return None
    value = _said(energy)
    grid, remark = _step(plan, "grid_intensity"), ""
    if emissions is not None:
        place = f" at {say(grid.value, 'grid_intensity')}" if grid else ""
        remark = f"{_said(emissions)}{place}{f': {grid.note}' if grid and grid.note else ''}"
    return Row(label="energy", value=value, remark=remark, ref=_ref(plan, "train_energy"))


def batch_row(plan: Plan) -> Row:
    """Batch, learning rate and steps to start from."""
    settings = plan.settings
    batch, steps = say(float(settings.batch_tokens), "batch_tokens", 2), say(float(settings.steps), "steps", 2)
    value = f"learning rate {float(settings.learning_rate):.2g}, batch {batch} tokens"
    remark = f"{steps} steps; step law (stepfun2025), a broad optimum"
    if plan.beyond_settings > 1:
        remark += f"; this model is {plan.beyond_settings:,.2g} times the largest it was fitted on"
    return Row(label="start from", value=value, remark=remark)


def moving_lines(plan: Plan) -> tuple[str, ...]:
    """Which inputs bring the variance of the loss (else of the work)."""
    name = "loss" if "loss" in plan.answers and plan.limit.by != "loss" else "train_flops"
    shares = plan.answers[name].shares
    large = sorted(((share, key) for key, share in shares.items() if share >= _NOTICEABLE), reverse=True)
    if not large:
        return ()
    listed = ", ".join(f"{key} {percent(share)}" for share, key in large)
    return (f"{listed} of the variance in {name}",)


def mind_lines(plan: Plan) -> tuple[str, ...]:
    """What could make the plan wrong or impossible."""
    lines = []
    choice = plan.question.price
    price = choice.price if choice else None
    if price is not None and price.commitment in {"1y", "3y"}:
        lines.append(f"the price needs a {price.commitment[0]}-year commitment, which this run does not use up")
    if choice is not None and choice.price.date is not None and "as_of" not in plan.question.choices:
        among = f", the cheapest of {len(choice.others) + 1} then" if choice.others else ""
        lines.append(f"the price is of {choice.price.date}, the latest that is catalogued{among}")
    if plan.limit.spare is not None:
        name, used = plan.limit.spare
        lines.append(f"the {plan.limit.by} binds; {percent(used)} of the {name} is used")
    mfu = _step(plan, "mfu")
    assumed = mfu is not None and mfu.kind == "default" and plan.predicted is None
    if assumed and plan.question.dtype not in {"", "bf16", "fp16"}:
        lines.append(
            f"the assumed MFU was seen in 16-bit training; against the {plan.question.dtype} peak it may differ"
        )
    if assumed and plan.question.device is not None and plan.fleet is not None:
        lines.append(
            f"no usual layout of {_chips(plan.fleet.chips)} was found to hold activations too, or to be timed: "
            "the MFU is that of published runs"
        )
    return (
        *lines,
        *_fleet_lines(plan),
        *_law_lines(plan),
        *_unjudged_lines(plan),
        *_scratch_lines(plan),
        *_risk_lines(plan),
        *plan.answers["train_flops"].warnings,
    )


_MANY = 16_384  # chips from which the largest published run is looked up
_TOGETHER = 64  # chips without links of their own, of which nobody rents more in one place


def _fleet_lines(plan: Plan) -> tuple[str, ...]:
    """Chips that nobody has together, or that no published run had."""
    device, fleet = plan.question.device, plan.fleet
    if device is None or fleet is None or fleet.chips <= _TOGETHER:
        return ()
    if device.link is not None and device.link.topology not in {"none", "bridge"}:
        return _most_lines(fleet.chips) if fleet.chips > _MANY else ()
    line = (
        f"{_chips(fleet.chips)} of a kind that has no links of its own: more than {_TOGETHER} of them are hardly to be "
        "had in one place, and over a slow network they wait for each other"
    )
    return (line,)


def _most_lines(chips: int) -> tuple[str, ...]:
    """How many more chips than the largest published run had."""
    from isoflop.model import runs

    largest = max((one for one in runs() if one.use.chips), key=lambda one: one.use.chips or 0.0)
    most = largest.use.chips or 0.0
    if chips <= most:
        return ()
    return (f"{_chips(chips)} are {chips / most:.2g} times those of the largest published run ({largest.model})",)


def _law_lines(plan: Plan) -> tuple[str, ...]:
    """What the law of loss was not fitted on: mixtures of experts, other number formats, data seen again."""
    lines = []
    loss = plan.answers.get("loss")
    if plan.active_loss is not None and loss is not None:
        lines.append(
            "the law of loss was fitted on dense models; the loss shown counts all parameters of a mixture of experts, "
            f"with the active ones alone it is {say(plan.active_loss, 'loss')}: the mixture lies between"
        )
    if loss is not None and plan.question.dtype in _NARROW:
        lines.append(f"the law of loss knows no number formats: what {plan.question.dtype} costs in loss is not in it")
    again = plan.repeats
    if again is None or again.counted or again.epochs <= 1 + _NOTICEABLE:
        return tuple(lines)
    lines.append(
        f"each of {say(again.unique, 'unique_tokens')} different tokens is seen {again.epochs:.3g} times, which the "
        f"law takes for new ones; by {REPEATING} that costs {again.dearer:.2g} nats/token, and the best split is "
        f"{say(again.params, 'params')} on {say(again.tokens, 'tokens')} (--law {REPEATING})"
    )
    return tuple(lines)


def _unjudged_lines(plan: Plan) -> tuple[str, ...]:
    """Limits that nothing was held against, for want of chips or a price."""
    lines = []
    if plan.limit.deadline is not None and plan.fleet is None:
        lines.append("nothing says whether the deadline is kept: name the devices, as in --on 64xh100-sxm")
    if plan.limit.budget is not None and "train_cost" not in plan.answers:
        lines.append("nothing says whether the budget is kept: no price is known; give --price '$2/chip/h'")
    return tuple(lines)


def _scratch_lines(plan: Plan) -> tuple[str, ...]:
    """Who names a model and few tokens means a fine-tune; the laws know only training from random weights."""
    if plan.question.model is None or plan.verdict is None or plan.verdict.tokens_per_param >= 1:
        return ()
    line = (
        "loss, batch and learning rate are those of training from random weights; a fine-tune starts from trained "
        "ones and ends far lower. Work, time, cost and memory hold for it where all weights are trained"
    )
    return (line,)


def _risk_lines(plan: Plan) -> tuple[str, ...]:
    """How often the draws break a limit that the point keeps, and the chips that would keep the deadline in 95 %."""
    limit, lines = plan.limit, []
    cost, time, fleet = plan.answers.get("train_cost"), plan.answers.get("chip_time"), plan.fleet
    if limit.budget is not None and cost is not None and cost.samples is not None and cost.value <= limit.budget:
        over = float((cost.samples > limit.budget * _ROUNDING).mean())
        if limit.by != "budget" and over >= _NOTICEABLE:
            lines.append(f"in {percent(over)} of the draws it costs more than the budget")
    decided = limit.by == "deadline" and fleet is not None and not fleet.chosen  # these chips work until the deadline
    if limit.deadline is None or fleet is None or time is None or time.samples is None or decided:
        return tuple(lines)
    late = float((time.samples > limit.deadline * fleet.chips * _ROUNDING).mean())
    if fleet.time <= limit.deadline * _ROUNDING and late >= _NOTICEABLE:
        enough = fleet.unit_chips * ceil(time.high / limit.deadline / fleet.unit_chips)
        lines.append(
            f"in {percent(late)} of the draws it takes longer than the deadline; {enough:,} chips keep it in 95 %"
        )
    return tuple(lines)


def elsewhere_lines(plan: Plan) -> tuple[str, ...]:
    """What the same money buys elsewhere."""
    lines = tuple(
        f"{one.device} {one.price.commitment}: {say(one.params, 'params', 2)} on {say(one.tokens, 'tokens', 2)} tokens "
        f"at {say(one.price.amount, 'price')} ({one.price.provider}, {one.price.date or 'undated'})"
        for one in plan.elsewhere
    )
    return (*lines, "all at the MFU of this plan") if lines and plan.predicted is not None else lines


ROWS = (
    bought_row,
    work_row,
    split_row,
    loss_row,
    shape_row,
    layout_row,
    memory_row,
    time_row,
    energy_row,
    batch_row,
)
"""The rows of a plan in the order of the argument: money, work, model, outcome, shape, memory, time, settings."""
