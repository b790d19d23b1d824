"""Speed as ratios: ours against a named reference, measured side by side, with the budget each is held to.

    make bench

Ratios, because a machine under load slows both sides alike: ours and the reference take turns, and the best of several
rounds counts. Whole processes are compared by CPU time, the rest by wall time. Nothing here fails; it prints.
"""

from __future__ import annotations

import compileall
import json
import resource
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

import isoflop
from isoflop.ask import bind, solve_question
from isoflop.ask.solver import system
from isoflop.hardware import catalog, device
from isoflop.kernel import chip_of, profile_of
from isoflop.model import counts, describe, model
from isoflop.model.config import reading_of
from isoflop.relation.evaluate import run, run_many
from isoflop.relation.route import direct, find_route
from isoflop.serving import Deployment, Placement, Placements, Settings, Traffic, pace_of
from isoflop.training import Layout, Layouts, Run, machine_of, need, peak, search_layouts
from isoflop.training.step import step_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.quantity import Real
    from isoflop.relation import Route
    from isoflop.training import Found, Machine, Need

ROUNDS = 7
SAMPLES = 100_000
QUESTION = {
    "train_cost": "$100m",
    "tokens": "4T",
    "device": "tpu-v4",
    "price": "$33,849/month/slice",
    "slice": "32 chip",
    "mfu": "0.4",
}
"""Which model can $100m train on 4T tokens? Five steps from strings to parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison; times in seconds. `most` is the largest ratio that keeps the budget, `limit` the longest time."""

    name: str
    ours: float
    against: str
    reference: float
    most: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """Ours over the reference."""
        return self.ours / self.reference

    @property
    def budget(self) -> str:
        """The budget in words, and whether it is kept."""
        if self.most is not None:
            return f"<= {shown(self.most)}x {'kept' if self.ratio <= self.most else 'MISSED'}"
        if self.limit is not None:
            return f"<= {1e3 * self.limit:g} ms {'kept' if self.ours <= self.limit else 'MISSED'}"
        return ""


def shown(ratio: float) -> str:
    """A ratio with as many digits as help: 12.3, 0.00021."""
    return f"{ratio:.3g}"


def best(ours: Callable[[], object], reference: Callable[[], object], repeat: int = 1) -> tuple[float, float]:
    """The shortest time of one call of each, in seconds; both take turns."""
    shortest = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for side, call in enumerate((ours, reference)):
            start = perf_counter()
            for _ in range(repeat):
                call()
            shortest[side] = min(shortest[side], (perf_counter() - start) / repeat)
    return shortest[0], shortest[1]


# --- start-up --------------------------------------------------------------------------------------------------------


def process_seconds(*words: str) -> float:
    """CPU seconds of a Python process, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def compile_package() -> None:
    """Leave byte code beside the sources, as an installed package has it, also where writing it is switched off."""
    compileall.compile_dir(Path(isoflop.__file__).parent, quiet=1)


def start_up(name: str, words: tuple[str, ...], most: float) -> Row:
    """A command as a whole process against a Python that does nothing."""
    pairs = [(process_seconds("-m", "isoflop", *words), process_seconds("-c", "pass")) for _ in range(ROUNDS)]
    ours, bare = (min(side) for side in zip(*pairs, strict=True))
    return Row(name=name, ours=ours, against="python -c pass (CPU)", reference=bare, most=most)


# --- catalogue -------------------------------------------------------------------------------------------------------


def whole_catalogue() -> Row:
    """Every device, node, price and grid, checked and in base units, against only parsing the same TOML text."""
    folders = (catalog.HERE / shelf for shelf in ("devices", "nodes", "prices"))
    files = [catalog.HERE / name for name in ("aliases.toml", "grids.toml", "grid_tables.toml")]
    files += [path for folder in folders for path in folder.glob("*.toml")]
    texts = [path.read_text(encoding="utf-8") for path in files]

    def ours() -> int:
        catalog.clear_memory()
        entries = (catalog.devices().values(), catalog.nodes().values(), catalog.find_prices(), catalog.grids())
        return sum(len(list(shelf)) for shelf in entries)

    def parse() -> None:
        for text in texts:
            tomllib.loads(text)

    mine, bare = best(ours, parse, repeat=3)
    return Row(name="whole catalogue", ours=mine, against="tomllib, same text", reference=bare, limit=50e-3)


# --- solving ---------------------------------------------------------------------------------------------------------


def by_hand(mfu: Real = 0.4) -> Real:
    """The arithmetic of QUESTION as somebody would type it."""
    price = 33_849 / (730.5 * 3600) / 32
    return 100e6 / price * 275e12 * mfu / (6 * 4e12)


def forget_routes() -> None:
    """Drop what solving has learned; catalogues and the glossary stay read."""
    find_route.cache_clear()
    direct.cache_clear()


def cold_solve() -> Row:
    """From strings to an answer with its derivation, the route searched for anew."""

    def ours() -> None:
        forget_routes()
        solve_question(bind(QUESTION), "params")

    mine, hand = best(ours, by_hand, repeat=20)
    return Row(name="cold solve", ours=mine, against="arithmetic by hand", reference=hand, limit=3e-3)


def planned(knowns: Mapping[str, str]) -> tuple[Route, dict[str, float]]:
    """The route to `params` and the medians of its leaves."""
    question = bind(knowns)
    book = system(question.relations)
    route = find_route(book, frozenset((fact.quantity, fact.rank) for fact in question.facts), ("params",))
    known = {**book.defaults, **{fact.quantity: fact.spread.median for fact in question.facts}}
    return route, {key: known[key] for key in route.leaves}


def cached_plan() -> Row:
    """A route that is known already, run on new values."""
    route, values = planned(QUESTION)
    assert np.isclose(run(route, values)["params"], by_hand(), rtol=0.01)
    mine, hand = best(lambda: run(route, values), by_hand, repeat=2000)
    return Row(name="cached plan", ours=mine, against="arithmetic by hand", reference=hand, limit=2e-5)


# --- Monte Carlo -----------------------------------------------------------------------------------------------------


def monte_carlo() -> list[Row]:
    """100,000 draws of MFU through the route, and of the whole answer, against NumPy by hand."""
    knowns = {**QUESTION, "mfu": "0.3 to 0.5"}
    route, values = planned(knowns)
    spread = next(fact.spread for fact in bind(knowns).facts if fact.quantity == "mfu")

    def route_only() -> object:
        columns: dict[str, Real] = {**values, "mfu": spread.sample(np.random.default_rng(0), SAMPLES)}
        return np.percentile(run_many(route, columns, values)["params"], (5, 50, 95))

    def hand() -> object:
        low, high = np.log(0.3 / 0.7), 0.0
        middle, deviation = (low + high) / 2, (high - low) / (2 * 1.6448536269514722)
        logit = np.random.default_rng(0).normal(middle, deviation, SAMPLES)
        return np.percentile(by_hand(1 / (1 + np.exp(-logit))), (5, 50, 95))

    against = "NumPy by hand"
    mine, other = best(route_only, hand)
    rows = [Row(name="Monte Carlo 100k", ours=mine, against=against, reference=other, most=1.5)]
    mine, other = best(lambda: solve_question(bind(knowns), "params", samples=SAMPLES), hand)
    return [*rows, Row(name="  with steps and shares", ours=mine, against=against, reference=other)]


# --- models ----------------------------------------------------------------------------------------------------------


LLAMA_3_8B = {
    "model_type": "llama",
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500_000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


LLAMA_405B = {
    **LLAMA_3_8B,
    "hidden_size": 16_384,
    "intermediate_size": 53_248,
    "num_hidden_layers": 126,
    "num_attention_heads": 128,
}


def describing() -> list[Row]:
    """Counting Llama 3 8B against building it without memory (torch's meta device); nothing without torch.

    From fields in memory, and from a config.json on disk, which the reference reads from disk too.
    """
    if not (find_spec("torch") and find_spec("transformers")):
        return []
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig

    def config_of(fields: Mapping[str, object]) -> LlamaConfig:
        return LlamaConfig(**{name: value for name, value in fields.items() if name != "model_type"})

    def instantiate(config: object) -> int:
        with torch.device("meta"):
            return sum(weight.numel() for weight in AutoModelForCausalLM.from_config(config).parameters())

    def read_fields(fields: Mapping[str, object]) -> int:
        return counts(reading_of(fields, "config.json", "llama").spec).params

    against = "torch meta device"
    config, large = config_of(LLAMA_3_8B), config_of(LLAMA_405B)
    assert counts(model("llama-3-8b")).params == read_fields(LLAMA_3_8B) == instantiate(config)
    preset = best(lambda: counts(model("llama-3-8b")), lambda: instantiate(config), repeat=20)
    read = best(lambda: read_fields(LLAMA_3_8B), lambda: instantiate(config), repeat=20)
    deep = best(lambda: read_fields(LLAMA_405B), lambda: instantiate(large), repeat=5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(LLAMA_3_8B), encoding="utf-8")
        disk = best(
            lambda: counts(describe(path).spec), lambda: instantiate(AutoConfig.from_pretrained(folder)), repeat=20
        )
        cold = start_up("isoflop model, new process", ("model", str(path)), 25)
    return [
        Row(name="describe a preset", ours=preset[0], against=against, reference=preset[1], most=1e-3),
        Row(name="describe fields, 32 layers", ours=read[0], against=against, reference=read[1]),
        Row(name="describe fields, 126 layers", ours=deep[0], against=against, reference=deep[1], most=1e-3),
        Row(name="describe a config.json", ours=disk[0], against=f"{against}, from it", reference=disk[1]),
        cold,
    ]


LAYOUTS = 10_000


def training_layouts() -> list[Row]:
    """Step time and memory of 10,000 layouts, and of one, against copying the fields of a layout a hundred times.

    The budget is 500,000 layouts a second and core, and a millisecond for one.
    """
    chip = chip_of(device("a100-sxm-80gb"), node_chips=8)
    profile = profile_of(chip)[1]
    case = Run(model=model("llama-3.1-70b"), sequence=4096, batch=1536)
    noise = np.random.default_rng(0)

    def choice(*values: int) -> np.ndarray:
        return noise.choice(values, LAYOUTS).astype(np.float64)

    many = Layouts.of(
        dp=choice(8, 16, 32),
        tp=choice(1, 2, 4, 8),
        pp=np.full(LAYOUTS, 8.0),
        micro_batch=choice(1, 2, 4),
        zero=choice(0, 1, 3),
        cp=choice(1, 2),
    )
    one = Layout(dp=16, tp=8, pp=8, zero=1)
    fields = [np.ascontiguousarray(getattr(many, name)) for name in Layout.__dataclass_fields__]

    def both(layouts: Layout | Layouts) -> None:
        step_time(case, layouts, chip, profile)
        peak(case, layouts)

    def copies() -> None:
        for _ in range(100):
            for field in fields:
                field.copy()

    found = best(lambda: both(many), copies)
    single = best(lambda: both(one), copies, repeat=20)
    return [
        Row(
            name="10k layouts, time and memory",
            ours=found[0],
            against="1,300 copies of 10k floats",
            reference=found[1],
            limit=LAYOUTS / 500e3,
        ),
        Row(
            name="one layout, time and memory",
            ours=single[0],
            against="1,300 copies of 10k floats",
            reference=single[1],
            limit=1e-3,
        ),
    ]


# --- layout search ---------------------------------------------------------------------------------------------------


def searching() -> list[Row]:
    """The whole legal space of GPT-3 on 4,096 A100, and a large one of a mixture, against layouts one by one."""
    a100, h100 = (machine_of(device(name)) for name in ("a100-80gb", "h100-sxm"))
    rows = []
    for name, chips, on, asked in (
        ("GPT-3, 4,096 A100", 4096, a100, Run(model=model("gpt3-175b"), sequence=2048, batch=1536)),
        ("Mixtral, 256 H100", 256, h100, Run(model=model("mixtral-8x7b"), sequence=4096, batch=1024)),
    ):

        def whole(run: Run = asked, chips: int = chips, on: Machine = on) -> Found:
            return search_layouts(run, chips, 8, 79 * 2**30, on)

        found = whole()
        chosen = found.best[0]

        def single(chosen: Need = chosen, on: Machine = on) -> Need:
            return need(chosen.run, chosen.layout, 79 * 2**30, on)

        ours, one = best(whole, single)
        title = f"{name}: {found.tried:,} layouts"
        rows.append(Row(name=title, ours=ours, against="one by one", reference=one * found.tried, limit=30.0))
    return rows


def serving() -> list[Row]:
    """Ten thousand deployments at loads of their own, and one, against copying the fields of placements 100 times.

    The budget is 10,000 a second in arrays, and a millisecond for one: memory and time together.
    """
    made = Deployment(
        model=model("llama-3.1-70b"), device=device("h100-sxm-80gb"), settings=Settings(max_model_len=4096.0)
    )
    rng = np.random.default_rng(0)
    many = Placements.of(tp=rng.choice([2.0, 4.0, 8.0], 10_000), replicas=rng.choice([1.0, 2.0], 10_000))
    loads = Traffic(concurrency=rng.integers(1, 512, 10_000).astype(float), input_tokens=2048, output_tokens=512)
    alone = Traffic(concurrency=64, input_tokens=2048, output_tokens=512)

    def together() -> None:  # pace asks for the budget itself
        pace_of(made.at(many), loads)

    def single() -> None:
        pace_of(made.at(Placement(tp=8)), alone)

    def copies() -> None:
        for _ in range(100):
            Placements(**{one: getattr(many, one).copy() for one in ("tp", "pp", "dp", "ep", "dcp", "replicas")})

    against = "copying the fields of 10,000 placements 100 times"
    return [
        Row(name="10k deployments, memory and time", **_pair(best(together, copies)), against=against, limit=1.0),
        Row(name="one deployment, memory and time", **_pair(best(single, copies, 10)), against=against, limit=1e-3),
    ]


def _pair(times: tuple[float, float]) -> dict[str, float]:
    return {"ours": times[0], "reference": times[1]}


def main() -> None:
    """Print all rows."""
    plan = ("plan", "--budget", "$4k", "--on", "tpu-v4", "--commitment", "3y")
    compile_package()
    rows = [start_up("isoflop --help", ("--help",), 7), start_up("isoflop plan", plan, 25)]
    rows += [whole_catalogue(), cold_solve(), cached_plan(), *monte_carlo(), *training_layouts(), *serving()]
    rows += searching()
    described = describing()
    rows += described
    print(f"{'what':<34} {'ours ms':>10}  {'reference':<28} {'ms':>10} {'ratio':>10}  budget")
    for row in rows:
        times = f"{1e3 * row.ours:10.4g}  {row.against:<28} {1e3 * row.reference:10.4g}"
        print(f"{row.name:<34} {times} {shown(row.ratio):>10}  {row.budget}")
    if not described:
        print("describing a model: skipped, torch and transformers are not installed (make test installs them)")


if __name__ == "__main__":
    main()
