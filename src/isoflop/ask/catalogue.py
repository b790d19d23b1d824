"""Names turned into facts: a device into peak rate, memory, power; a law into loss and split; a price into dollars."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop import hardware, laws
from isoflop.errors import BadInput, MissingData, shorten
from isoflop.hardware.system_power import system_power
from isoflop.laws.surface import Surface
from isoflop.quantity import Centred, Interval, Point, quantity, read
from isoflop.relation import Fact, Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.hardware import Choice, Device, Figure, Grid, Price
    from isoflop.laws import Published
    from isoflop.model import ModelSpec
    from isoflop.quantity import Real

PRICE_CHOICES = ("provider", "commitment", "region", "as_of", "prices")
_PREFERRED_DTYPES = ("bf16", "fp16", "tf32", "fp32")
_HALF_MET = Fact(
    quantity="flops_per_param_token",
    spread=Point(3.0),
    rank="catalogue",
    source="brown2020",
    note="an encoder-decoder: each token passes through one of the two stacks, about half of the weights",
)
_QUANTITY = {"flops": "train_flops"}  # names of the laws for what the glossary calls otherwise
_COUNTED = {"total": "params", "active": "active_params", "non_embedding": "non_embedding_params"}


def device_facts(name: str | None, dtype: str | None) -> tuple[Device | None, str, list[Fact]]:
    """A device's figures for one number format; bf16 where it has it, else the fastest of fp16, tf32, fp32 it has."""
    if name is None:
        if dtype is not None:
            raise BadInput(f"dtype={shorten(dtype)} chooses among a device's peaks: give device= too")
        return None, "", []
    device = hardware.device(name)
    chosen = dtype or next((each for each in _PREFERRED_DTYPES if each in device.peak_rates), "bf16")
    facts = [
        _figure(
            "peak_rate", device.peak_rate(chosen), f"{device.title}, {chosen}{'' if 'sparse' in chosen else ' dense'}"
        )
    ]
    memory = device.memory
    for key, figure in (
        ("memory", memory.usable or memory.physical or memory.labelled),
        ("memory_bandwidth", memory.bandwidth),
        ("tdp", device.tdp),
    ):
        if figure is not None:
            facts.append(_figure(key, figure, device.title))
    measured = system_power(device)
    if measured is not None:
        spread = Centred(measured.ratio, measured.low, measured.high, "lognormal")
        facts.append(
            Fact(
                quantity="power_ratio", spread=spread, rank="default", source=measured.source,
                note=f"measured: {measured.note}",
            )
        )  # fmt: skip
    return device, chosen, facts


def _figure(key: str, figure: Figure, note: str) -> Fact:
    dated = f"{note} ({figure.date})" if figure.date else note
    return Fact(quantity=key, spread=figure.spread(), rank="catalogue", source=figure.source, note=dated)


def price_fact(device: Device | None, choices: Mapping[str, str], *, given: bool) -> tuple[Choice | None, list[Fact]]:
    """The price of one chip for one second, chosen by provider, commitment, region and date."""
    wanted = {key: choices[key] for key in PRICE_CHOICES if key in choices}
    if given:
        if wanted:
            raise BadInput(f"price= is given, so {', '.join(wanted)} cannot choose another one; leave one of them out")
        return None, []
    if device is None:
        if wanted:
            raise BadInput(f"{', '.join(wanted)} choose among a device's prices: give device= too")
        return None, []
    listing = choices.get("price_file", device)
    folder = wanted.pop("prices", "")
    try:
        choice = hardware.choose_price(listing, **wanted, folder=folder)
    except MissingData:
        if wanted or "price_file" in choices:
            raise
        return None, []  # nobody asked for a price; what needs one will say that it is missing
    price = choice.price
    where = ", ".join(
        str(part) for part in (price.provider, price.region, price.commitment, price.date or "undated") if part
    )
    fact = Fact(
        quantity="price",
        spread=Point(price.amount),
        rank="catalogue",
        source=price.source,
        text=price.sale.text,
        note=where + _other_device(price, device),
    )
    return choice, [fact]


def _other_device(price: Price, device: Device) -> str:
    """A price list of the user's own may be for another device than the one that was named; then it is said."""
    if not price.devices or device.name in price.devices:
        return ""
    return f"; listed for {' or '.join(price.devices)}"


def model_facts(name: str | None) -> tuple[ModelSpec | None, list[Fact], tuple[str, ...]]:
    """A model's parameters under the three conventions, as given: naming a model states them; and what to mind."""
    if name is None:
        return None, [], ()
    from isoflop.model import describe, known_quantities  # a question without a model does not pay for the room

    described = describe(name)
    spec = described.spec
    counted = known_quantities(spec)
    note = f"counted from the shape of {spec.name}"
    facts = [
        Fact(
            quantity=key,
            spread=Point(value),
            rank="given" if key in _COUNTED.values() else "catalogue",
            source=spec.source,
            text=spec.name,
            note=note,
        )
        for key, value in counted.items()
    ]
    if spec.encoder is not None:
        facts.append(_HALF_MET)
    share = Point(counted["active_params"] / counted["params"])
    facts.append(Fact(quantity="active_share", spread=share, rank="catalogue", source=spec.source, note=note))
    return spec, facts, (described.warning,) if described.warning else ()


def tokenizer_facts(name: str | None, language: str | None) -> list[Fact]:
    """Tokens a byte of text, by tokenizer and language, between the documents that were measured."""
    if name is None and language is None:
        return []
    from isoflop.model.tokenizers import language_code, languages, tokenizer

    if name is None:
        raise BadInput(f"language={shorten(str(language))} needs a tokenizer: give tokenizer=llama-3 too")
    made = tokenizer(name)
    code = language_code(language or "en")
    dense = made.density(code)
    spread = Interval(1 / dense.high, 1 / dense.low) if dense.high > dense.low else Point(dense.tokens_per_byte)
    note = f"{made.title}, {languages()[code]}: {' and '.join(dense.documents)} ({made.date})"
    return [Fact(quantity="tokens_per_byte", spread=spread, rank="catalogue", source=made.source, note=note)]


def grid_fact(name: str | None, *, given: bool) -> tuple[Grid | None, list[Fact]]:
    """The carbon intensity of a grid."""
    if name is None:
        return None, []
    if given:
        raise BadInput("grid= and grid_intensity= say the same thing; give one of them")
    grid = hardware.grid(name)
    return grid, [_figure("grid_intensity", grid.intensity, grid.title)]


def law_relations(name: str | None, allocation: str | None) -> tuple[Published | None, tuple[Relation[...], ...]]:
    """A law as relations: loss from parameters and tokens where it gives one, and a split of compute as a policy.

    `allocation` is "optimal" (the law's own split, also where nothing is said), "none", or tokens per parameter.
    """
    if name is None:
        if allocation == "optimal":
            raise BadInput("allocation=optimal needs a law: give law= too, or tokens per parameter: allocation=20")
        return None, () if allocation is None else _policy(None, allocation)
    law, state = laws.find_law(name), _state(name)
    return law, (*_loss(name, state), *_policy(name, allocation or "optimal", state))


def _state(name: str) -> tuple[str, int, int] | None:
    """Which file a law of one's own is, as it is now: fitted again it is another law. None for a published one."""
    path = Path(name)
    if path.suffix.lower() not in {".json", ".toml"} or not path.exists():
        return None
    found = path.stat()
    return str(path.resolve()), found.st_mtime_ns, found.st_size


@lru_cache(maxsize=64)
def _loss(name: str, state: tuple[str, int, int] | None) -> tuple[Relation[...], ...]:
    """loss(params, tokens) of a law that has one, with its joint draws and the ranges of its runs; kept by `state`."""
    del state
    law = laws.find_law(name)
    if isinstance(law.form, Surface):
        return (_searched(law, law.form),)
    try:
        form = law.law
    except MissingData:
        return ()  # a rule such as 20 tokens per parameter knows no loss; what needs one will say so
    size = _COUNTED[form.convention.params]

    def draw(rng: np.random.Generator, n: int) -> Callable[..., Real]:
        drawn = law.draws(rng, n)
        return lambda **at: drawn.loss(at[size], at["tokens"])

    return (
        Relation(
            name=law.name,
            gives="loss",
            inputs=(size, "tokens"),
            body=lambda **at: form.loss(at[size], at["tokens"]),
            kind="empirical",
            opaque=True,
            doc=law.title,
            sources=(law.source,),
            draw=draw if law.has_draws else None,
            limits=dict(law.fitted_on.ranges),
        ),
    )


def _searched(law: Published, form: Surface) -> Relation[...]:
    """The loss of a law without a closed form, from whatever it follows: unique tokens, compute alone, bits."""
    words = {name: _QUANTITY.get(name, name) for name in form.shape.inputs} | {
        "params": _COUNTED[form.convention.params]
    }
    pair = form.splits
    inputs = (words["params"], "tokens", *form.further) if pair else tuple(words[name] for name in form.shape.inputs)

    def said(of: Surface) -> Callable[..., Real]:
        if pair:
            return lambda **at: of.loss_at(
                **_run(at[words["params"]], at["tokens"]), **{k: at[k] for k in form.further}
            )
        return lambda **at: of.loss_at(**{name: at[words[name]] for name in form.shape.inputs})

    def draw(rng: np.random.Generator, n: int) -> Callable[..., Real]:
        drawn = law.draws(rng, n)
        assert isinstance(drawn, Surface)
        return said(drawn)

    return Relation(
        name=law.name,
        gives="loss",
        inputs=inputs,
        body=said(form),
        kind="empirical",
        opaque=True,
        doc=law.title,
        sources=(law.source,),
        draw=draw if law.has_draws else None,
        limits=dict(law.fitted_on.ranges),
    )


def _run(params: Real, tokens: Real) -> dict[str, Real]:
    flops = laws.FLOPS_PER_PARAM_TOKEN * params * tokens
    return {"params": params, "tokens": tokens, "flops": flops, "tokens_per_param": tokens / params}


def _followed(law: Published, form: Surface) -> Relation[...]:
    """The best splits of a law without a closed form, as tokens from params and what else it follows."""
    if not form.splits:
        form.need(law.name)
    size, further = _COUNTED[form.convention.params], form.further

    @lru_cache(maxsize=256)
    def line(values: tuple[float, ...]) -> Callable[[Real], Real]:
        return form.bound(**dict(zip(further, values, strict=True))).best_line()

    def body(**at: Real) -> Real:
        values = np.broadcast_arrays(*(np.asarray(at[key], dtype=np.float64) for key in further)) if further else []
        if not any(one.ndim for one in values):
            return line(tuple(float(one) for one in values))(at[size])
        bound = form.bound(**dict(zip(further, values, strict=True)))  # type: ignore[arg-type]  # arrays broadcast
        return bound.best_tokens(at[size])

    return Relation(
        name=f"split of {law.name}",
        gives="tokens",
        inputs=(size, *further),
        body=body,
        kind="empirical",
        policy=True,
        opaque=True,
        doc=f"Policy: compute split as {law.name} has it, found by search.",
        sources=(law.source,),
    )


@lru_cache(maxsize=64)
def _policy(
    law_name: str | None, allocation: str, state: tuple[str, int, int] | None = None
) -> tuple[Relation[...], ...]:  # fmt: skip
    """Where tokens = coefficient * params ** exponent: a choice, so of the lowest rank; kept by `state`."""
    del state
    if allocation == "none":
        return ()
    if allocation == "optimal":
        assert law_name is not None
        law = laws.find_law(law_name)
        if isinstance(law.form, Surface):
            return (_followed(law, law.form),)
        path, size = law.allocator.expansion_path(), _COUNTED[law.allocator.convention.params]
        coefficient, exponent, name, source = float(path.coefficient), float(path.exponent), law.name, law.source
    else:
        coefficient, exponent = read(allocation, quantity("tokens_per_param")).spread.median, 1.0
        size, name, source = "params", f"{coefficient:g} tokens per parameter", ""
    return (
        Relation(
            name=f"split of {name}",
            gives="tokens",
            inputs=(size,),
            body=lambda **at: coefficient * at[size] ** exponent,
            kind="empirical",
            policy=True,
            doc=f"Policy: compute split as {name} has it.",
            sources=(source,) if source else (),
        ),
    )
