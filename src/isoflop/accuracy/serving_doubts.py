"""Rows of serving that nothing is fitted to, by rules that look at settings and measurements and at no prediction.

They stay in the tables, with their reason. A rule catches what cannot be true as it is written: more weights than
memory, more FLOP than the chip has, a row that another row of its own source contradicts.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.accuracy.serving_read import Reading
    from isoflop.accuracy.serving_rows import ServingRow
    from isoflop.serving.step import Case

    Triple = tuple[ServingRow, Reading, Case]

UNREACHED = 0.6
"""Share of the dense peak that no served model was seen to reach over a whole run."""

SLOWER, UNEXPLAINED = 1.5, 6.0
"""A row is doubted where it is so much slower than its twin of another task, and the difference so many times what
reading the longer state takes."""

SLOWEST = 0.05
"""Share of the dense peak below which no engine reads prompts under load."""


def doubts_of(rows: Sequence[Triple]) -> dict[str, str]:
    """Row id -> why it is doubted."""
    found: dict[str, str] = {}
    for row, reading, case in rows:
        reason = _alone(row, reading, case)
        if reason:
            found[row.id] = reason
    for one in (_contradicted(rows), _prompts(rows)):
        for key, reason in one.items():
            found.setdefault(key, reason)
    return found


def _alone(row: ServingRow, reading: Reading, case: Case) -> str:
    """What a row says against itself."""
    said = row.settings
    if not said.gpu:
        return "names no device"
    if any("do not fit" in text for text in reading.assumed):
        return "its weights do not fit the chips it names"
    if any("does not hold so many" in text for text in reading.assumed):
        return "its requests do not fit the chips it names"
    first, token = row.measured.ttft, row.measured.tpot
    if reading.kind == "closed" and said.concurrency and first and token:
        asked, written = reading.traffic.input_tokens, reading.traffic.output_tokens
        weights = case.dense + case.experts * case.active * case.dp
        done = said.concurrency / (first + written * token) * (asked + written) * 2 * weights
        if float(done / (case.dp * case.replicas)) > UNREACHED * float(case.rate):
            return "more FLOP than its chips have: prompts came from a cache"
    return ""


def late_of(row: ServingRow, case: Case) -> str:
    """Why a first token came too late for prompts to be the cause: by then even a slow engine had read them all."""
    first, requests = row.measured.ttft, row.settings.concurrency
    if first is None or not requests or float(np.asarray(case.room)) < requests / float(np.asarray(case.replicas)):
        return ""
    weights = case.dense + case.experts * case.active * case.dp
    work = 2 * weights * (row.settings.isl or 0.0) * requests
    slowest = float(np.asarray(work / (SLOWEST * case.rate * case.dp * case.replicas)))
    return "its first token came later than all open prompts take at a twentieth of the peak" if first > slowest else ""


def _contradicted(rows: Sequence[Triple]) -> dict[str, str]:
    """Rows far slower than a twin of their source: same model, formats, chips and requests, another task."""
    twins: dict[tuple[object, ...], list[Triple]] = defaultdict(list)
    for one in rows:
        row, reading, _ = one
        if reading.kind == "steady" and row.measured.tpot:
            said = row.settings
            key = (row.source, reading.deployment.model.name, said.weight_prec, said.gpu, said.n_gpus, said.concurrency)
            twins[key].append(one)
    found = {}
    for several in twins.values():
        ordered = sorted(several, key=lambda one: one[0].measured.tpot or 0.0)
        fastest = ordered[0]
        for one in ordered[1:]:
            quick, slow = fastest[0].measured.tpot or 0.0, one[0].measured.tpot or 0.0
            longer = float(one[2].state) - float(fastest[2].state)
            explained = longer * (one[0].settings.concurrency or 1.0) / float(one[2].bandwidth)
            if slow > SLOWER * quick and slow - quick > UNEXPLAINED * explained:
                found[one[0].id] = f"{slow / quick:.1f} times slower than {fastest[0].id}, which differs in length only"
    return found


def _prompts(rows: Sequence[Triple]) -> dict[str, str]:
    """Prompts of llama.cpp that are read slower than much longer ones, or at half the rate of weights in 4 bit."""
    rates: dict[tuple[object, ...], tuple[str, float]] = {}
    for row, reading, _ in rows:
        if reading.kind == "prompt" and row.measured.prompt_rate:
            said = row.settings
            rates[said.gpu, said.n_gpus, said.model, said.weight_prec, said.isl] = (row.id, row.measured.prompt_rate)
    found = {}
    for (gpu, chips, model, form, length), (key, rate) in rates.items():
        assert isinstance(length, float | int)
        longer = rates.get((gpu, chips, model, form, length * 8))
        low = rates.get((gpu, chips, model, "q4_k_m", length))
        if longer is not None and longer[1] > rate:
            found[key] = f"slower than {longer[0]}, whose prompts are eight times as long"
        elif low is not None and form != "q4_k_m" and rate < 0.5 * low[1]:
            found[key] = f"half as fast as {low[0]}, whose weights have to be unpacked"
    return found
