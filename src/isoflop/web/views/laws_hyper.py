"""Laws, learning rate and batch: fitted to sweeps, or what a published law advises at a size and number of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop import laws
from isoflop.errors import BadInput, UnknownName
from isoflop.laws.hyper_file import hyper_object
from isoflop.quantity import quantity, read
from isoflop.report import Blocks, Column, Row, Section, page, say, table_csv, table_html, table_json
from isoflop.web import law_words
from isoflop.web.fields import Field, Group, Shown, Slider, View
from isoflop.web.names import guarded
from isoflop.web.views.common import table_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws import HyperFit, HyperParameters, Published

NAMES = ("rate at 1", "rate ~ params^", "rate ~ tokens^", "batch at 1", "batch ~ params^", "batch ~ tokens^")
MOST = 200


def advisors() -> dict[str, Published]:
    """Published laws of learning rate and batch, by name."""
    return {name: law for name, law in laws.published_laws().items() if isinstance(law.form, laws.HyperParameters)}


def answer(given: Mapping[str, str]) -> Shown:
    """Learning rate and batch."""
    guarded(given, texts=VIEW.texts)
    if law_words.has_runs(given):
        return _fitted(laws.fit_hyper(law_words.runs_of(given), resamples=MOST))
    if "params" not in given or "tokens" not in given:
        raise BadInput("say how large the model is and on how many tokens it trains, or upload a sweep")
    params, tokens = (float(read(given[name], quantity(name)).spread.median) for name in ("params", "tokens"))
    asked = given.get("law", "")
    if asked and asked not in advisors():
        raise UnknownName(
            "law of learning rate and batch", asked, advisors(), hint=f"There are: {', '.join(advisors())}."
        )
    chosen = {name: one for name, one in advisors().items() if asked in {"", name}}
    return _advised(params, tokens, chosen)


def _advised(params: float, tokens: float, chosen: Mapping[str, Published]) -> Shown:
    flops = laws.FLOPS_PER_PARAM_TOKEN * params * tokens
    rows, table = [], []
    for name, law in chosen.items():
        form: HyperParameters = law.form  # type: ignore[assignment]  # advisors() gives these alone
        found = form.advise(params, tokens, flops)
        rate, batch = float(found.learning_rate), float(found.batch_tokens)
        rows.append(Row(label=name, value=f"learning rate {rate:.3g}, batch {say(batch, 'tokens')} tokens",
                        remark=f"{tokens / batch:,.0f} steps; {law.title}"))  # fmt: skip
        table.append((name, rate, batch, tokens / batch, f"{law.source}, {law.place}", law.note))
    columns: list[Column | str] = [
        "law", Column(name="learning_rate", right=True, written=lambda x: f"{x:.3g}"),
        Column(name="batch_tokens", title="batch", quantity="tokens"),
        Column(name="steps", right=True, written=lambda x: f"{x:,.0f}"), "source", "note",
    ]  # fmt: skip
    title = f"{say(params, 'params')} parameters on {say(tokens, 'tokens')} tokens"
    mind = Section(heading="Mind", lines=("A broad optimum: a factor of two beside it costs little loss.",))
    return Shown(
        blocks=(Blocks(title=title, rows=tuple(rows), sections=(mind,)),),
        json=lambda: {"schema_version": 1, "params": params, "tokens": tokens, "laws": table_json(columns, table)},
        parts=(table_part("What each law says, with its source", "laws", (columns, table), unfolded=True),),
        links={row.label: "laws" for row in rows},
        says={name: _form_words(law) for name, law in chosen.items()},
        page=lambda: page(title, table_html(columns, table)),
        csv=lambda: table_csv(columns, table),
    )


def _form_words(law: Published) -> str:
    form: HyperParameters = law.form  # type: ignore[assignment]  # advisors() gives these alone
    lines = []
    for name, powers in (("learning rate", form.learning_rate), ("batch in tokens", form.batch_tokens)):
        parts = [
            f"{part}^{getattr(powers, part):.4g}" for part in ("params", "tokens", "flops") if getattr(powers, part)
        ]
        lines.append(f"{name} = {' · '.join([f'{powers.coefficient:.4g}', *parts])}")
    return "\n".join([*lines, f"{law.source}, {law.place}"])


def _fitted(fit: HyperFit) -> Shown:
    ends, values = fit.interval(law_words.LEVEL), list(fit.constants.values())
    rows = [
        Row(label=name, value=f"{value:.4g}", remark=f"{low:.4g} to {high:.4g} (80 %)")
        for name, value, (low, high) in zip(NAMES, values, ends.values(), strict=True)
    ]
    rows.insert(0, Row(label="fitted to", value=f"{fit.rows} rows", remark=f"near the best of {fit.cells} grids"))
    checks = [(one.name, one.status, one.says, one.remedy) for one in fit.checks]
    mind = tuple(f"{one.name}: {one.says}" for one in fit.checks if one.status in {"warn", "fail"})
    sections = (Section(heading="Mind", lines=mind, loud=True),) if mind else ()
    table = (["check", "status", "says", "remedy"], checks)
    return Shown(
        blocks=(Blocks(title="Learning rate and batch", rows=tuple(rows), sections=sections),),
        json=lambda: hyper_object(fit, level=law_words.LEVEL),  # type: ignore[arg-type,return-value]  # plain data
        parts=(table_part("Checks", "checks", table),),
        links={row.label: "checks" for row in rows},
        hovers={"checks": "rate and batch = constant · params^a · tokens^b, at the bottom of the loss of each grid; "
                          "intervals from resampled grids"},
        page=lambda: page("Learning rate and batch", table_html(*table)),
    )  # fmt: skip


VIEW = View(
    name="laws/hyper",
    under="laws",
    title="Learning rate and batch",
    tab="Rate and batch",
    lead="What published laws advise for a model and its tokens; or a law fitted to your sweeps.",
    posts=True,
    slow=True,
    groups=(
        Group(
            title="The run",
            open=True,
            fields=(
                Field(name="params", label="Parameters", example="7B", slider=Slider(low=7, high=12, log=True)),
                Field(name="tokens", label="Training tokens", example="2T", slider=Slider(low=9, high=14, log=True)),
                Field(name="law", label="Law", kind="choice", choices=tuple(advisors())),
            ),
        ),
        law_words.runs_group("or your sweeps", unfolded=False),
    ),
    answer=answer,
    first={"params": "7B", "tokens": "2T"},
    examples=(("7B on 2T tokens", {"params": "7B", "tokens": "2T"}),),
)
