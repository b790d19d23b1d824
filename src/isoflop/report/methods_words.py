"""The sentences of the Methods paragraph of a plan, a training run and a run's account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.methods import Methods, Sentence
from isoflop.report.words import percent, say, say_around

if TYPE_CHECKING:
    from isoflop.ask import Plan
    from isoflop.relation.answer import Step
    from isoflop.training import Account, Advice


def _made(sentences: list[Sentence | None]) -> Methods:
    from isoflop import __version__

    return Methods(sentences=tuple(one for one in sentences if one is not None), version=__version__)


def _opening(what: str) -> Sentence:
    from isoflop import __version__

    return Sentence(text=f"{what} was estimated with isoflop {__version__}; nothing was measured")


def _said(step: Step) -> str:
    return say_around(step.value, step.low, step.high, step.gives)


def plan_methods(plan: Plan) -> Methods:
    """How a plan was made, in sentences."""
    steps = {step.gives: step for one in plan.answers.values() for step in one.steps}
    return _made([
        _opening("The training run"),
        _work(plan, steps),
        _split(plan, steps),
        _loss(plan, steps),
        _chip_time(plan, steps),
        _money(steps),
        _energy(steps),
        Sentence(text="Intervals hold 90 % of Monte Carlo draws over all uncertain inputs, correlations kept"),
        _taken(steps),
    ])  # fmt: skip


def _work(plan: Plan, steps: dict[str, Step]) -> Sentence:
    flops, mfu, peak = plan.answers["train_flops"], steps.get("mfu"), steps.get("peak_rate")
    text = f"The training compute is {say_around(flops.value, flops.low, flops.high, 'train_flops')}"
    cites = steps["train_flops"].sources if "train_flops" in steps else ()
    if mfu is not None and peak is not None:
        how = (
            "as predicted for the layout"
            if plan.predicted is not None
            else "given"
            if mfu.kind == "given"
            else "assumed"
        )
        text += f", from a dense peak of {_said(peak)} ({peak.note}) at a model FLOP utilisation of {_said(mfu)}, {how}"
    return Sentence(text=text, cites=cites)


def _split(plan: Plan, steps: dict[str, Step]) -> Sentence:
    params, tokens = plan.answers["params"], plan.answers["tokens"]
    said = (
        f"{say_around(params.value, params.low, params.high, 'params')} parameters and "
        f"{say_around(tokens.value, tokens.low, tokens.high, 'tokens')} tokens"
    )
    cites = tuple(dict.fromkeys((*steps["params"].sources, *steps["tokens"].sources))) if "params" in steps else ()
    if plan.verdict is not None or plan.question.law is None:
        return Sentence(text=f"The run trains {said}", cites=cites)
    return Sentence(text=f"It is spent on {said}, the compute-optimal split of {plan.question.law.title}", cites=cites)


def _loss(plan: Plan, steps: dict[str, Step]) -> Sentence | None:
    loss = plan.answers.get("loss")
    if loss is None or plan.question.law is None:
        return None
    text = f"The expected loss is {say_around(loss.value, loss.low, loss.high, 'loss')} on the data of that law"
    return Sentence(text=text, cites=steps["loss"].sources if "loss" in steps else ())


def _chip_time(plan: Plan, steps: dict[str, Step]) -> Sentence | None:
    time = plan.answers.get("chip_time")
    if time is None:
        return None
    text = f"It takes {say_around(time.value, time.low, time.high, 'chip_time')}"
    if plan.fleet is not None:
        text += f", {say(plan.fleet.time, 'train_time')} on {plan.fleet.chips:,} chips"
    return Sentence(text=text, cites=steps["chip_time"].sources if "chip_time" in steps else ())


def _money(steps: dict[str, Step]) -> Sentence | None:
    price, cost = steps.get("price"), steps.get("train_cost")
    if price is None or cost is None:
        return None
    where = f" ({price.note}; {'; '.join(price.sources)})" if price.note else ""
    return Sentence(text=f"At {_said(price)}{where} it costs {_said(cost)}", cites=cost.sources)


def _energy(steps: dict[str, Step]) -> Sentence | None:
    energy, emissions, grid, pue = (
        steps.get(name) for name in ("train_energy", "train_emissions", "grid_intensity", "pue")
    )
    if energy is None or emissions is None or grid is None:
        return None
    building = f" at a PUE of {_said(pue)}" if pue is not None else ""
    text = (
        f"It draws {_said(energy)} of electricity{building} and so emits {_said(emissions)} at {_said(grid)} "
        f"({grid.note}; {'; '.join(grid.sources)}); making the machines is not counted"
    )
    return Sentence(text=text, cites=tuple(dict.fromkeys((*energy.sources, *emissions.sources))))


def _taken(steps: dict[str, Step]) -> Sentence | None:
    assumed = [step for step in steps.values() if step.kind == "default" and step.gives != "mfu"]
    if not assumed:
        return None
    listed = ", ".join(f"{step.gives} {_said(step)}" for step in assumed)
    return Sentence(text=f"Assumed: {listed}", cites=tuple(s for step in assumed for s in step.sources))


def training_methods(advice: Advice) -> Methods:
    """How the memory and time of a training run were predicted, in sentences."""
    run, place, held = advice.run, advice.place, advice.held
    chips = f"{held.layout.chips:,} x " if held is not None else ""
    setting = (
        f"The run trains {run.model.name} on {chips}{place.title} in steps of {run.batch:,} sequences of "
        f"{run.sequence:,} tokens, recipe {run.recipe.name}"
    )
    found: list[Sentence | None] = [_opening("The training run"), Sentence(text=setting)]
    if held is None:
        return _made([*found, Sentence(text="No layout fits")])
    size = say_around(held.bytes, held.low, held.high, "peak_memory")
    found.append(Sentence(text=f"Its layout is {held.layout.words()}; the fullest chip needs {size} (5 to 95 %)"))
    return _made([*found, *_pace(advice), _bill(advice), _assumed(advice.assumed)])


def _pace(advice: Advice) -> list[Sentence]:
    held, timing, machine = advice.held, advice.timing, advice.place.machine
    if held is None or held.pace is None or timing is None or machine is None:
        return [Sentence(text=f"No time was predicted: {advice.place.untimed}")]
    pace = held.pace
    step = say_around(pace.step, pace.low, pace.high, "step_time")
    use = percent(timing.rates.utilisation["model"])
    text = (
        f"A step takes {step} (5 to 95 %), a model FLOP utilisation of {use}: the "
        f"sum of matrix products, attention, memory traffic and communication by the profile {machine.name}"
    )
    return [
        Sentence(text=text, cites=("chowdhery2022",)),
        Sentence(text=f"The profile was fitted on {_lower(machine.profile.fitted)}"),
    ]


def _lower(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(". ")


def _bill(advice: Advice) -> Sentence | None:
    bill = advice.timing.bill if advice.timing is not None else None
    if bill is None:
        return None
    time = say_around(bill.time, bill.time_low, bill.time_high, "train_time")
    text = f"{say(bill.order.tokens, 'tokens')} tokens take {time} at a goodput of {percent(bill.order.goodput)}"
    if bill.cost is not None and bill.cost_interval is not None and bill.order.tariff is not None:
        tariff = bill.order.tariff
        cost = say_around(bill.cost, *bill.cost_interval, "train_cost")
        text += f" and cost {cost} at {say(tariff.amount, 'price')} ({tariff.note})"
    return Sentence(text=text, cites=("epoch-costs",))


def _assumed(lines: tuple[str, ...]) -> Sentence | None:
    return Sentence(text=f"Assumed: {'; '.join(lines)}") if lines else None


def cost_methods(account: Account) -> Methods:
    """How the account of a run was made, in sentences."""
    from isoflop.report.cost_chain import cost_chain

    advice, bill, terms = account.advice, account.bill, account.terms
    steps = {step.gives: step for step in cost_chain(account).steps}
    held = advice.chosen
    assert held is not None
    time = say_around(bill.time, bill.time_low, bill.time_high, "train_time")
    tokens = f"{say(bill.order.tokens, 'tokens')} tokens"
    left = say(account.failure_goodput, "failure_goodput")
    often = say(terms.chip_mtbf, "chip_mtbf")
    failures = f"Failures and checkpoints leave {left} of the time, with a chip failing once in {often}"
    return _made([
        _opening("The run's cost"),
        Sentence(text=f"It trains {advice.run.model.name} on {tokens} with {bill.chips:,} x {advice.place.title}"),
        Sentence(text=f"The layout is {held.layout.words()}"),
        *_pace(advice),
        Sentence(text=failures, cites=("young1974", "daly2006", "llama2024")),
        Sentence(text=f"The run takes {time}, which is {say(bill.chip_time, 'chip_time')}", cites=("morrison2025",)),
        _money(steps),
        _energy(steps),
        Sentence(text="Ranges are of the step time alone (5 to 95 %); prices, power and the grid enter as points"),
        _assumed(advice.assumed),
    ])  # fmt: skip
