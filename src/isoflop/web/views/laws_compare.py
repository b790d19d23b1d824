"""Laws, side by side: two published laws, two studies, or two groups of runs in one table."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from isoflop import laws
from isoflop.errors import BadInput, MissingData, shorten
from isoflop.flags.laws import target_of
from isoflop.quantity import quantity, read
from isoflop.report.chart_compare import compare_chart
from isoflop.report.laws_compare import compare_blocks, compare_html, compare_json
from isoflop.web import law_words, words
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.uploads import grouped_runs
from isoflop.web.views.common import linked, table_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws import Belief, Comparison

CHARTS = {"curves": "Loss at the best split of each", "sizes": "Best size against compute"}


def answer(given: Mapping[str, str]) -> Shown:
    """The differences of two laws."""
    guarded(given, texts=VIEW.texts)
    first, second = _two(given)
    budgets = [float(read(text, quantity("train_flops")).spread.median) for text in given.get("flops", "").split()]
    grounds = laws.Grounds(
        flops=tuple(budgets) or (1e21, 1e24),
        targets=tuple(target_of(text) for text in given.get("targets", "").split()),
        bytes_per_token=_bytes(given.get("bytes-per-token")),
        same_tokens=bool(given.get("same-tokens")),
        level=law_words.LEVEL,
    )
    return shown(laws.compare(first, second, grounds))


def _bytes(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        first, second = (float(word) for word in text.split(","))
    except ValueError:
        raise BadInput("bytes per token are two numbers, one a tokenizer: 4.2,3.9") from None
    return first, second


def _two(given: Mapping[str, str]) -> tuple[Belief, Belief]:
    """Two groups of one table, two tables, a table and a published law, or two published laws."""
    split = given.get("by", "")
    if split:
        if not law_words.has_runs(given):
            raise MissingData("runs are split by a column: upload their table")
        wanted = tuple(given[key] for key in ("first", "second") if key in given)
        columns = words.lines_of(given.get("columns", ""))
        held = grouped_runs(law_words.table_of(given), columns, split, wanted)
        one, other = (_fitted(given, runs, name) for name, runs in held)
        return one, other
    studies: list[Belief] = []
    for table in ("table", "table-b"):
        if law_words.has_runs(given, table):
            name = law_words.table_of(given, table)[1] or f"study {len(studies) + 1}"
            studies.append(_fitted(given, law_words.runs_of(given, table), name))
    named = [law_words.believed(given, key, key) for key in ("law", "law-b") if key in given]
    found = [*studies, *named]
    if len(found) != 2:
        raise BadInput(f"two laws are held side by side, and {len(found)} were given: name laws, or upload runs")
    return found[0], found[1]


def _fitted(given: Mapping[str, str], runs: laws.Runs, name: str) -> Belief:
    return replace(laws.believed(law_words.fitted(given, runs)), name=shorten(name.rpartition("/")[2], most=40))


def shown(found: Comparison) -> Shown:
    """The comparison on the page."""
    blocks = compare_blocks(found)
    rows = [(one.name, f"{one.first.value:.6g}", f"{one.second.value:.6g}", one.refused) for one in found.differences]
    both = ["figure", found.first.name, found.second.name, "note"]
    return Shown(
        blocks=(blocks,),
        json=partial(compare_json, found),
        parts=(table_part("Figures of both, in base units", "figures", (both, rows)),),
        links=linked(blocks, {}, usual="figures"),
        hovers={"figures": "The second less the first (or over it); the interval from draws of the constants of both."},
        charts={kind: partial(_drawn, found, kind) for kind in CHARTS},
        page=partial(compare_html, found),
    )


def _drawn(found: Comparison, kind: str, mode: str, width: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - altair has no types of its own
    return compare_chart(found, kind, width=width, mode=mode)  # type: ignore[arg-type]


VIEW = View(
    name="laws/compare",
    under="laws",
    title="Two laws side by side",
    tab="Compare",
    lead="Two published laws, two studies, or two groups of runs: what differs, with intervals from joint draws.",
    posts=True,
    slow=True,
    button="Compare",
    groups=(
        Group(
            title="Laws",
            open=True,
            fields=(
                Field(name="law", label="One law", listed="laws", example="besiroglu2024"),
                Field(name="law-b", label="Another", listed="laws", example="hoffmann2022-tex"),
            ),
        ),
        law_words.runs_group(
            "or runs",
            Field(name="runs-b", label="A second table", kind="file"),
            Field(name="table-b", label="or paste it", kind="area"),
            Field(name="by", label="Or split the first by a column", example="optimizer"),
            Field(name="first", label="One group", hint="A value of that column; the first two where none is said."),
            Field(name="second", label="Another group"),
            law_words.FORM,
            unfolded=False,
        ),
        Group(
            title="Compared where",
            open=True,
            fields=(
                Field(name="flops", label="Budgets", example="1e21 1e24", hint="FLOP; several with spaces."),
                Field(name="targets", label="Sizes and tokens", example="N=7B,D=2T", hint="Several with spaces."),
                Field(name="bytes-per-token", label="Bytes a token of each", example="4.2,3.9",
                      hint="Then losses compare, in bits per byte."),
                Field(name="same-tokens", label="Both of the same data and tokenizer", kind="flag"),
            ),
        ),
    ),
    answer=answer,
    charts=CHARTS,
    first={"law": "besiroglu2024", "law-b": "hoffmann2022-tex", "same-tokens": "1", "targets": "N=70B,D=1.4T"},
    examples=(
        ("Besiroglu's refit and Hoffmann's", {
            "law": "besiroglu2024", "law-b": "hoffmann2022-tex", "same-tokens": "1", "targets": "N=70B,D=1.4T",
        }),
        ("Chinchilla and C4", {"law": "besiroglu2024", "law-b": "muennighoff2023-c4", "flops": "1e22 1e24"}),
    ),
)  # fmt: skip
