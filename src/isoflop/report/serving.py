"""A deployment drawn: does it fit, how fast, for how much, which placements none beats, what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.report.blocks import Blocks, Row, Section, blocks_markdown, blocks_text
from isoflop.report.layout import Paper, hang
from isoflop.report.serving_steps import derivation
from isoflop.report.table import Column, table_markdown, table_text
from isoflop.report.words import number, percent, say, say_around
from isoflop.serving.cost import OVERHEAD

if TYPE_CHECKING:
    from isoflop.report.table import Cell
    from isoflop.serving.advice import Service
    from isoflop.serving.inverse import Change, Hardware
    from isoflop.serving.pace import Band
    from isoflop.serving.search import Candidate

MOST_CHANGES = 6
MOST_FRONT = 12


def serving_blocks(service: Service) -> Blocks:
    """What is asked and answered, as rows and sections that every renderer draws."""
    rows = (*_asked_rows(service), *_memory_rows(service), *_time_rows(service), *_money_rows(service))
    sections = [*_limit_section(service), *_help_sections(service)]
    if service.assumed:
        sections.append(Section(heading="Assumed", lines=("; ".join(service.assumed) + ".",)))
    lines = [*service.notes, *([service.untimed] if service.untimed else [])]
    sections += [Section(heading="Mind", lines=tuple(lines))] if lines else []
    return Blocks(title=_title(service), rows=rows, sections=tuple(sections))


def _title(service: Service) -> str:
    said = {
        "fits": "fits",
        "tight": "fits only just",
        "queues": "fits, but not all requests at once",
        "does not fit": "does not fit",
    }[service.room.verdict]
    missed = ", and misses the limits" if service.missed else ""
    if missed and not service.wish.goal.any:
        missed = ", and cannot keep up"
    return f"{service.deployment.model.name} on {service.chips:,} x {service.deployment.device.title}: {said}{missed}"


def _asked_rows(service: Service) -> list[Row]:
    traffic, wish = service.traffic, service.wish
    read, written = one(traffic.input_tokens), one(traffic.output_tokens)
    value = f"{wish.request_rate:g} a second" if wish.request_rate else f"{one(traffic.concurrency):,.0f} at once"
    kept = f", {percent(wish.prefix_share)} of it in the cache" if wish.prefix_share else ""
    rows = [Row(label="requests", value=value, remark=f"{read:,.0f} tokens read{kept}, {written:,.0f} written each")]
    placement = service.deployment.placements[0]
    found = service.searched
    nearest = "the nearest" if service.room.verdict == "does not fit" else "of those that hold it"
    remark = "as asked for" if service.asked else "the only one" if service.chips == 1 else nearest
    if not service.asked and found is not None and found.holding > 1:
        remark = f"the best of {found.tried:,} placements and loads, {found.holding:,} of which hold a request"
    return [*rows, Row(label="placement", value=placement.words(), remark=remark)]


def _memory_rows(service: Service) -> list[Row]:
    room, ledger = service.room, service.memory
    held = {term.name: term for term in ledger.terms}
    weights = held["weights"]
    state = held.get("state of sequences")
    if room.verdict == "does not fit" and room.sequences[0] <= 0:
        state = None
    runtime = state.note if state is not None else ""
    rows = [
        Row(label="weights", value=f"{size(weights.value)} a chip", remark=weights.note),
        Row(
            label="state",
            value=f"{size(state.value) if state is not None else 'nothing'} a chip",
            remark=_state_remark(service, runtime),
        ),
    ]
    if state is None:
        return rows
    middle, low, high = room.tokens
    groups = service.deployment.placements[0].dp
    printed = f"what {groups} groups of attention print, added up" if groups > 1 else "as the runtime prints them"
    remark = f"{printed}, in one instance; 80 %"
    rows.append(Row(label="tokens that fit", value=_around(middle, low, high), remark=remark))
    middle, low, high = room.sequences
    replicas = service.deployment.placements[0].replicas
    each = " in each replica" if replicas > 1 else ""
    wanted = f"; {room.wanted:,.0f} may have {room.context:,} each" if room.wanted > 1 else ""
    remark = f"requests of {room.length:,} tokens at once{each}{wanted}; one alone up to {room.longest:,}"
    return [*rows, Row(label="holds", value=_around(middle, low, high), remark=remark)]


def _state_remark(service: Service, runtime: str) -> str:
    limit = size(service.memory.limit or 0)
    if service.deployment.runtime.name == "llama.cpp":
        return f"set aside for the context; {runtime}" if runtime else "none on the chip"
    return f"what is left of {limit}; {runtime}" if runtime else f"weights and a step take more than {limit}"


def _around(middle: float, low: float, high: float) -> str:
    """Counts with their interval, three digits."""
    return f"{_count(middle)} ({_count(low)} to {_count(high)})"


def _count(value: float) -> str:
    return say(value, "tokens").removesuffix(" tokens").removesuffix(" token") if value >= 1000 else f"{value:.3g}"


def _time_rows(service: Service) -> list[Row]:
    pace = service.pace
    if pace is None:
        return []
    batch = one(pace.flow.batch)
    at_once = f"{batch:,.0f}" if batch >= 0.5 else "less than one"
    alone = 1 / one(pace.tpot.middle)
    chips = service.deployment.placements[0].chips
    each = say(one(pace.output_rate.middle) / chips, "tokens_per_second_per_chip")
    prompts = say(one(pace.prompt_rate.middle), "tokens_per_second")
    keys = pace.keys
    return [
        Row(
            label="first token",
            value=_band(pace.ttft, "time_to_first_token"),
            remark=f"TTFT; 80 %; {keys.software} {keys.era} on {keys.device}",
        ),
        Row(
            label="further tokens",
            value=_band(pace.tpot, "decode_time_per_token"),
            remark=f"TPOT; {alone:.3g} tokens/s for each user, {at_once} written at once by an instance",
        ),
        Row(
            label="rate",
            value=_band(pace.output_rate, "serve_rate"),
            remark=f"{each} written; up to {prompts} of prompts can be read",
        ),
        *_slow_rows(service),
    ]


def _slow_rows(service: Service) -> list[Row]:
    """What nearly all requests keep to, and prompts on chips of their own."""
    rows, slow, apart = [], service.slow, service.apart
    if slow is not None and np.isfinite(one(slow.ttft)):
        first, token = say(one(slow.ttft), "time_to_first_token"), say(one(slow.tpot), "decode_time_per_token")
        remark = f"first token, and {token}: what {percent(slow.level)} of requests keep to; rough"
        rows.append(Row(label="slow requests", value=first, remark=remark))
    if apart is not None:
        each = say(one(apart.rate_per_chip), "tokens_per_second_per_chip")
        first, token = say(one(apart.first), "time_to_first_token"), say(one(apart.token), "decode_time_per_token")
        remark = (
            f"{one(apart.ratio):.2g} instances that read prompts for one that writes: first token {first}, further "
            f"{token}; {one(apart.transfer) * 1e3:.3g} ms to send a prompt's state"
        )
        rows.append(Row(label="prompts apart", value=each, remark=remark))
    return rows


def _band(band: Band, name: str) -> str:
    middle, low, high = (one(value) for value in band)
    if not np.isfinite(middle):
        return "ever longer"
    return say_around(middle, low, high, name)


def _money_rows(service: Service) -> list[Row]:
    bill = service.bill
    if bill is None:
        return []
    joules = bill.joules_per_output_token
    watts = bill.watts / bill.chips
    rows = [
        Row(
            label="energy",
            value=say_around(*joules, "joules_per_token"),
            remark=f"{joules[0] / 3.6:.3g} kWh a million tokens written; {watts:,.0f} W a chip as busy as it is, and "
            f"{percent(bill.overhead - 1)} for hosts and cooling",
        )
    ]
    rows.append(_cost_row(service))
    rows += _offer_rows(service)
    return [*rows, *_lifetime_rows(service)]


def _cost_row(service: Service) -> Row:
    bill, tariff = service.bill, service.wish.tariff
    assert bill is not None
    if bill.usd_per_output_token is None or bill.usd_per_token is None or tariff is None:
        return Row(label="cost", value="not known", remark="no price is catalogued: give --price '$2/chip/h'")
    use = f", in use {percent(bill.use)} of the time" if bill.use < 1 else ""
    both = say(bill.usd_per_token, "usd_per_token")
    return Row(
        label="cost",
        value=say_around(*bill.usd_per_output_token, "usd_per_token"),
        remark=f"of tokens written; {both} of all; ${bill.usd_per_hour:,.2f}/h{use}: {tariff.note}",
    )


def _offer_rows(service: Service) -> list[Row]:
    found = service.comparison
    if found is None:
        return []
    per = (found.api * 1000, found.own * 1000)
    said = (
        f"own chips are cheaper from {say(found.break_even, 'request_rate')} on, {percent(found.use)} of that load"
        if found.use <= 1
        else f"own chips cost more even at the largest load, which would have to be {found.use:.2g} times as large"
    )
    value = f"${per[0]:.3g} against ${per[1]:.3g}"
    return [Row(label="API or own", value=value, remark=f"a thousand requests at the largest load; {said}")]


def _lifetime_rows(service: Service) -> list[Row]:
    found = service.lifetime
    if found is None:
        return []
    equal = f"; equal after {say(found.equal, 'serve_tokens')}" if found.train_cost else ""
    trained = f"training {say(found.train_cost, 'train_cost')}, " if found.train_cost else ""
    remark = f"{trained}serving {say(found.serve_cost, 'serve_cost')}{equal}"
    rows = [Row(label="whole life", value=say(found.total, "serve_cost"), remark=remark)]
    if found.best is None:
        return rows
    worse = found.flops_per_param_token / 2
    size, data = say(one(found.best.params), "params"), say(one(found.best.tokens), "tokens")
    said = (
        f"for all of it together, dense, by {found.law}; a token served costs {worse:.2g} times its share of training"
    )
    return [*rows, Row(label="best size", value=f"{size} on {data}", remark=said)]


def _limit_section(service: Service) -> list[Section]:
    """The best placement and load under the limits."""
    goal, found = service.wish.goal, service.searched
    if not goal.any or found is None:
        return []
    limits = [f"first token {say(float(goal.first), 'time_to_first_token')}"] if np.isfinite(goal.first) else []
    limits += [f"further tokens {say(float(goal.token), 'decode_time_per_token')}"] if np.isfinite(goal.token) else []
    if found.best is None:
        near = f"nearest: {_candidate(found.nearest)}" if found.nearest is not None else ""
        return [Section(heading="Within limits", lines=(f"nothing keeps {' and '.join(limits)}", near), loud=True)]
    return [Section(heading="Within limits", lines=(f"{' and '.join(limits)}: {_candidate(found.best)}",))]


def _candidate(found: Candidate) -> str:
    return (
        f"{found.placement.words()} with {found.load:,.0f} requests at once: {say(found.rate, 'serve_rate')}, first "
        f"token {say(found.first, 'time_to_first_token')}, further {say(found.token, 'decode_time_per_token')}"
    )


def _help_sections(service: Service) -> list[Section]:
    sections = []
    if service.changes:
        heading = "To make it fit" if service.room.verdict == "does not fit" else "Holds more"
        lines = tuple(_change_line(change) for change in service.changes[:MOST_CHANGES])
        sections.append(Section(heading=heading, lines=lines))
    if service.fewest is not None:
        few = service.fewest
        line = f"{few.chips:,} x {service.deployment.device.name} hold all: {few.words()}"
        sections.append(Section(heading="Enough", lines=(line,)))
    if service.devices and not service.wish.devices:
        sections.append(Section(heading="Other devices", lines=tuple(_device_line(found) for found in service.devices)))
    return sections


def _change_line(change: Change) -> str:
    held, verdict = change.room.sequences[0], change.room.verdict
    said = {"queues": "not all at once"}.get(verdict, verdict)
    return f"{change.says}: {held:,.3g} requests of {change.room.length:,} tokens, {said}"


def _device_line(found: Hardware) -> str:
    price = f", ${found.price * 3600:,.2f}/h" if found.price is not None else ""
    return f"{found.placement.chips:,} x {found.device.name} ({found.placement.words()}){price}"


def size(amount: float) -> str:
    """Bytes as GiB, TiB."""
    return say(amount, "peak_memory").replace("/chip", "")


def one(values: object) -> float:
    """The single number of an array of one entry."""
    return float(np.asarray(values, dtype=np.float64).reshape(-1)[0])


def front_table(service: Service) -> tuple[list[Column | str], list[tuple[Cell, ...]]]:
    """Placements and loads that no other beats in both time a token and tokens a second, the quickest first."""
    columns: list[Column | str] = [Column(name="requests", right=True, written=_whole)]
    columns += [Column(name=name, title=title, right=True, written=written) for name, title, written in _FRONT]
    columns.append("placement")
    tariff = service.wish.tariff
    rows: list[tuple[Cell, ...]] = []
    for found in shown_front(service):
        price = None if tariff is None else tariff.amount * found.placement.chips / found.rate
        energy = found.power * OVERHEAD / found.rate
        rows.append((found.load, found.token, found.first, found.each, price, energy, found.placement.words()))
    return columns, rows


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _short(value: float) -> str:
    return number(float(f"{value:.3g}"))


def _thousandths(value: float) -> str:
    return _short(1e3 * value)


def _millions(value: float) -> str:
    return _short(1e6 * value)


_FRONT = (
    ("decode_time_per_token", "ms/token", _thousandths),
    ("time_to_first_token", "first s", _short),
    ("tokens_per_second_per_chip", "tok/s/chip", _short),
    ("usd_per_token", "$/M", _millions),
    ("joules_per_token", "J/tok", _short),
)
"""Quantities in base units, what stands above them for people, and how people read them."""


def shown_front(service: Service) -> list[Candidate]:
    """The front, thinned where it is long: the ends stay."""
    found = list(service.searched.pareto) if service.searched is not None else []
    if len(found) <= MOST_FRONT:
        return found
    places = np.unique(np.linspace(0, len(found) - 1, MOST_FRONT).round().astype(int))
    return [found[place] for place in places]


def device_table(service: Service) -> tuple[list[Column | str], list[tuple[Cell, ...]]]:
    """Every catalogued device that holds what is asked: how many, at what price, how fast."""
    columns: list[Column | str] = [Column(name="chips", right=True, written=_whole), "device", "placement"]
    columns += [
        Column(name="usd_per_hour", title="$/h", right=True, written=_short),
        Column(name="decode_time_per_token", title="ms/token", right=True, written=_thousandths),
        Column(name="serve_rate", title="tokens/s", right=True, written=_short),
        Column(name="usd_per_token", title="$/M", right=True, written=_millions),
    ]
    rows: list[tuple[Cell, ...]] = []
    for found in service.devices:
        price = None if found.price is None else found.price * 3600
        each = None if found.price is None or not found.rate else found.price / found.rate
        names = (found.device.name, found.placement.words())
        rows.append((float(found.placement.chips), *names, price, found.token, found.rate, each))
    return columns, rows


def serving_text(
    service: Service, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The answer for a terminal: rows, the ledgers, the front."""
    from isoflop.report.text import ledger_text

    parts = [blocks_text(serving_blocks(service), width=width, color=color, ascii_only=ascii_only)]
    ledgers = [found for found in (service.memory, service.step) if found is not None]
    parts += [ledger_text(found, width=width, color=color, ascii_only=ascii_only) for found in ledgers]
    if service.searched is not None and len(service.searched.pareto) > 1:
        parts.append("Placements and loads that no other beats in time a token and tokens a second")
        parts.append(table_text(*front_table(service), width=width, color=color, ascii_only=ascii_only))
    if service.wish.devices:
        parts.append("Devices that hold all requests, the cheapest first")
        parts.append(table_text(*device_table(service), width=width, color=color, ascii_only=ascii_only))
    if explain:
        paper = Paper(width=width, color=color, ascii_only=ascii_only)
        parts += ["\n".join(hang(paper.text(step), paper.columns, "", "    ")) for step in derivation(service)]
    return "\n\n".join(parts)


def serving_markdown(service: Service) -> str:
    """The answer as Markdown."""
    from isoflop.report.markdown import ledger_markdown

    parts = [blocks_markdown(serving_blocks(service)), ledger_markdown(service.memory)]
    parts += [ledger_markdown(service.step)] if service.step is not None else []
    parts += [table_markdown(*front_table(service))] if service.searched is not None else []
    parts += [table_markdown(*device_table(service))] if service.wish.devices else []
    return "\n\n".join(parts)


def serving_html(service: Service) -> str:
    """The answer as one self-contained page: question, answer, charts, derivation, sources."""
    from isoflop.report.drawings import drawn
    from isoflop.report.report_page import document

    return document(drawn(service))
