"""Answers and ledgers made by hand, hostile ones, and hypothesis strategies for all the others."""

from __future__ import annotations

from hypothesis import strategies as st

from isoflop.quantity import quantities
from isoflop.relation.answer import Answer, Check, Ledger, Step, Term
from isoflop.report import Blocks, Row, Section

GIB = 2.0**30

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "a | b ** c ** `d` [e](javascript:x) _f_ ~~g~~ # $h$ &amp;",
    "- no list",
    "1. no list",
    "=====",
    r"\input{/etc/passwd} % } { & # $ ^ _ ~",
    '"]:::x; click s1 "javascript:alert(1)"',
    "two\nlines\r\x1b[31mred\x1b[0m\x07\u202egnp",
    "=HYPERLINK(1)",
    "模型 α²⁻³ ﬁ 🙂",
)


def leaf(number: int, gives: str, kind: str, value: float, **more: object) -> Step:
    ends = {"low": value, "high": value, "formula": "", "latex": "", "inputs": ()}
    return Step(number=number, gives=gives, kind=kind, value=value, **(ends | more))  # type: ignore[arg-type]


STEPS = (
    leaf(1, "train_cost", "given", 1e8, text="$100m"),
    leaf(2, "tokens", "given", 4e12, text="4T", note="a number: taken in token"),
    leaf(3, "mfu", "given", 0.387, low=0.3, high=0.5, text="0.3 to 0.5"),
    leaf(4, "peak_rate", "catalogue", 275e12, sources=("cloud.google.com/tpu/docs 2022-05-11",), note="tpu-v4, bf16"),
    leaf(5, "price", "catalogue", 33849 / (730.5 * 3600 * 32), text="$33,849/month/slice", note="1 slice = 32 chip"),
    leaf(6, "flops_per_param_token", "default", 6.0, sources=("kaplan2020 §2.1",)),
    leaf(
        7,
        "flops_per_usd",
        "identity",
        2.65e17,
        low=2.05e17,
        high=3.42e17,
        formula="peak_rate · mfu / price",
        latex=r"\frac{P\,\eta}{p}",
        inputs=(("peak_rate", 4), ("mfu", 3), ("price", 5)),
        note="Work that a dollar buys.",
    ),
    leaf(
        8,
        "train_flops",
        "identity",
        2.65e25,
        low=2.05e25,
        high=3.42e25,
        formula="train_cost · flops_per_usd",
        latex=r"K\,\psi",
        inputs=(("train_cost", 1), ("flops_per_usd", 7)),
    ),
    leaf(
        9,
        "params",
        "identity",
        1.10e12,
        low=0.86e12,
        high=1.43e12,
        formula="train_flops / (flops_per_param_token · tokens)",
        latex=r"\frac{C}{k\,D}",
        inputs=(("train_flops", 8), ("flops_per_param_token", 6), ("tokens", 2)),
        sources=("kaplan2020 §2.1",),
    ),
)

POINT = Answer(quantity="mfu", value=0.4, low=0.4, high=0.4, steps=(leaf(1, "mfu", "given", 0.4, text="40%"),))

ANSWER = Answer(
    quantity="params",
    value=1.10e12,
    low=0.86e12,
    high=1.43e12,
    steps=STEPS,
    warnings=("3.6 tokens per parameter: far below what scaling laws advise.",),
    checks=(Check(quantity="tokens", formula="20 · params", ratio=0.18, note="rule of thumb"),),
    alternatives=(Answer(quantity="params", value=28.4e9, low=20e9, high=31e9),),
    elasticities={"train_cost": 1.0, "mfu": 1.0, "tokens": -1.0},
    shares={"mfu": 0.98, "price": 0.02, "tokens": 0.0},
)

MEMORY = Ledger(
    quantity="memory",
    title="7B on one H100",
    limit=80 * GIB,
    terms=(
        Term(name="weights", value=13.4 * GIB),
        Term(name="optimizer", value=40.3 * GIB),
        Term(name="activations", value=9.2 * GIB, note="micro-batch 1"),
    ),
    sources=("rajbhandari2020 §3",),
)

TOO_LARGE = Ledger(
    quantity="memory", title="13B on one H100", limit=80 * GIB, terms=(Term(name="weights", value=104 * GIB),)
)

PLAN = Blocks(
    rows=(
        Row(
            label="$4,000 buys",
            value="2,762 chip-hours of TPU v4",
            remark="$1.448 a chip-hour: 3-year commitment, us-central2, 2022-05-11",
            ref="[1]",
        ),
        Row(label="that do", value="1.09e21 FLOP = 12.7 PF-days", remark="at MFU 40 % (32 to 49 %)", ref="[2]"),
        Row(label="shape", value="26 layers x 3072, 24 heads, 8 KV heads, vocabulary 32k, all of it in one long line"),
        Row(label="takes", value="3.6 days", ref="[5]"),
    ),
    sections=(
        Section(heading="What moves it", lines=("MFU 51 %, price 45 % of the variance in loss",)),
        Section(heading="Mind", lines=("the price needs a 3-year contract",), loud=True),
        Section(heading="Instead", lines=("8x H100 SXM: 3.4B on 68B tokens", "A100: 2.2B on 44B tokens")),
    ),
    notes=("--explain for the derivation, --json for scripts.",),
)


def hostile_answer(text: str) -> Answer:
    """An answer that carries `text` wherever a person or a file can put text."""
    steps = (
        leaf(1, "tokens", "given", 4e12, text=text, note=text, sources=(text,)),
        leaf(2, "train_flops", "identity", 2.4e13, formula=text, inputs=(("tokens", 1),), note=text, sources=(text,)),
    )
    check = Check(quantity="tokens", formula=text, ratio=2.0, note=text)
    return Answer(
        quantity="train_flops", value=2.4e13, low=2e13, high=3e13, steps=steps, warnings=(text,), checks=(check,)
    )


def hostile_ledger(text: str) -> Ledger:
    term = Term(name=text, value=GIB, note=text)
    return Ledger(quantity="memory", title=text, terms=(term,), limit=2 * GIB, sources=(text,))


NAMES = st.sampled_from(sorted(quantities()))
TEXTS = st.one_of(st.text(max_size=120), st.sampled_from(HOSTILE))
AMOUNTS = st.floats(min_value=1e-30, max_value=1e30)
SHARES = st.floats(min_value=-10, max_value=10)


@st.composite
def steps(draw: st.DrawFn, number: int = 1) -> Step:
    low, value, high = sorted(draw(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS)))
    kinds = ["given", "computed", "catalogue", "default", "identity", "empirical", "rule", "solve", "ledger"]
    earlier = st.tuples(NAMES, st.integers(min_value=1, max_value=max(1, number - 1)))
    inputs = draw(st.lists(earlier, max_size=4)) if number > 1 else []
    return Step(
        number=number,
        gives=draw(NAMES),
        kind=draw(st.sampled_from(kinds)),
        formula=draw(TEXTS),
        latex=draw(TEXTS),
        inputs=tuple(inputs),
        value=value,
        low=low,
        high=high,
        sources=tuple(draw(st.lists(TEXTS, max_size=2))),
        text=draw(TEXTS),
        note=draw(TEXTS),
    )


@st.composite
def answers(draw: st.DrawFn, *, roots: int = 1) -> Answer:
    low, value, high = sorted(draw(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS)))
    if draw(st.booleans()):
        low = high = value
    count = draw(st.integers(min_value=0, max_value=4))
    checks = st.builds(Check, quantity=NAMES, formula=TEXTS, ratio=AMOUNTS, note=TEXTS)
    return Answer(
        quantity=draw(NAMES),
        value=value,
        low=low,
        high=high,
        hard=draw(st.booleans()),
        steps=tuple(draw(steps(number=number)) for number in range(1, count + 1)),
        warnings=tuple(draw(st.lists(TEXTS, max_size=2))),
        checks=tuple(draw(st.lists(checks, max_size=2))),
        alternatives=tuple(draw(answers(roots=0)) for _ in range(draw(st.integers(min_value=0, max_value=roots)))),
        elasticities=draw(st.dictionaries(NAMES, SHARES, max_size=4)),
        shares=draw(st.dictionaries(NAMES, SHARES, max_size=4)),
    )


LEDGERS = st.builds(
    Ledger,
    quantity=NAMES,
    title=TEXTS,
    terms=st.lists(st.builds(Term, name=TEXTS, value=AMOUNTS, note=TEXTS), max_size=6).map(tuple),
    limit=st.one_of(st.none(), AMOUNTS),
    sources=st.lists(TEXTS, max_size=2).map(tuple),
)

BLOCKS = st.builds(
    Blocks,
    title=TEXTS,
    rows=st.lists(st.builds(Row, label=TEXTS, value=TEXTS, remark=TEXTS, ref=TEXTS), max_size=4).map(tuple),
    sections=st.lists(
        st.builds(Section, heading=TEXTS, lines=st.lists(TEXTS, max_size=3).map(tuple), loud=st.booleans()), max_size=3
    ).map(tuple),
    notes=st.lists(TEXTS, max_size=2).map(tuple),
)
