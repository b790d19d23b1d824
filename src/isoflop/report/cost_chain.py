"""How the figures of an account follow: steps, time with failures, money, energy, emissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.book import energy, money, rate, running, work
from isoflop.report.chain import Chain
from isoflop.report.words import percent

if TYPE_CHECKING:
    from isoflop.training import Account
    from isoflop.training.account import Line


def cost_chain(account: Account) -> Chain:
    """The derivation of an account from the step time on."""
    chain, bill, terms = Chain(), account.bill, account.terms
    held = account.advice.chosen
    assert held is not None
    assert held.pace is not None
    chain.leaf("tokens", bill.order.tokens, "given")
    chain.leaf("batch_tokens", float(held.run.batch * held.run.sequence), "computed", note="batch x sequence")
    chain.leaf("chips", float(bill.chips), "given", note=account.advice.place.title)
    chain.follows(work.steps, note="rounded up to whole steps")
    machine = account.advice.place.machine
    profile = f"profile {machine.name}: {machine.profile.fitted}" if machine is not None else ""
    ends = (held.pace.low, held.pace.high)
    chain.leaf("step_time", held.pace.step, "computed", ends=ends, note=f"of {held.layout.words()}; {profile}")
    chain.leaf("chip_mtbf", terms.chip_mtbf, "default")
    chain.follows(running.run_mtbf)
    chain.leaf("failure_goodput", account.failure_goodput, "computed", note="checkpoints, lost steps, restarts")
    chain.worked(
        "train_time", "steps · step_time · (1 + evaluation) / failure_goodput",
        ("steps", "step_time", "failure_goodput"), (bill.time, bill.time_low, bill.time_high),
        f"evaluations take {percent(terms.evaluation)} of the time of steps, assumed",
    )  # fmt: skip
    chain.follows(rate.chip_time)
    tariff = bill.order.tariff
    if tariff is not None:
        chain.leaf("price", tariff.amount, "catalogue", note=tariff.note, source=tariff.source)
        chain.follows(money.train_cost)
    _energy(chain, account)
    return chain


def _line(account: Account, quantity: str) -> Line | None:
    return next((line for line in account.parts["energy"] if line.quantity == quantity), None)


def _energy(chain: Chain, account: Account) -> None:
    power, emitted, whole = (_line(account, name) for name in ("chip_power", "train_emissions", "train_energy"))
    if power is None or emitted is None or whole is None:
        return
    chain.leaf("chip_power", power.value, "computed", note=power.note)
    chain.follows(energy.machine_energy)
    chain.leaf("pue", account.terms.pue, "default", note="building over machines")
    chain.follows(energy.train_energy)
    intensity = emitted.value / whole.value if whole.value else 0.0
    said = emitted.note.partition(": ")[2]
    chain.leaf("grid_intensity", intensity, "catalogue", note=emitted.name.removeprefix("emissions, "), source=said)
    chain.follows(energy.train_emissions)
