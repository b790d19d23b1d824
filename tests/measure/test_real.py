"""The torch side, on the CPU of whatever runs the tests: tiny sizes, and never a limit on time."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.measure.recorded import machine  # noqa: E402

from isoflop.measure import kernels  # noqa: E402
from isoflop.measure.collectives import measure_collective  # noqa: E402
from isoflop.measure.decode import Serve, measure_decode, measure_prefill, weights_for  # noqa: E402
from isoflop.measure.rows import serving_row, training_row  # noqa: E402
from isoflop.measure.runs import layout_of, model_of, run_of  # noqa: E402
from isoflop.measure.steps import Step, measure_memory, measure_step  # noqa: E402
from isoflop.torchmodel.decoder import Cache, Decoder, built, turns_of  # noqa: E402
from isoflop.torchmodel.shape import Shape  # noqa: E402
from isoflop.training import peak  # noqa: E402

CPU = torch.device("cpu")
SMALL = Shape(layers=2, width=64, heads=4, kv_heads=2, head_width=16, inner=160, vocabulary=300)
pytestmark = pytest.mark.filterwarnings("ignore")


def step(**changes: object) -> Step:
    return Step(**{"name": "small", "shape": SMALL, "sequence": 64, "batch": 2, "form": "fp32", **changes})  # type: ignore[arg-type]


def test_parameters_are_those_of_the_modules_and_of_the_model_room() -> None:
    from isoflop.model import counts

    for tied in (False, True):
        shape = Shape(**{name: getattr(SMALL, name) for name in SMALL.__slots__ if name != "tied"}, tied=tied)
        model = Decoder(shape)
        assert shape.params == sum(one.numel() for one in set(model.parameters()))
        assert counts(model_of(step(shape=shape).settings())).params == shape.params


def test_decoding_from_a_cache_is_the_same_as_reading_the_whole_text() -> None:
    torch.manual_seed(1)
    model = built(SMALL, CPU, torch.float32).requires_grad_(requires_grad=False)
    tokens = torch.randint(300, (2, 9))
    weight = model.embedding.weight
    cache = Cache(SMALL, 2, 9, like=weight)
    model.prefill(tokens[:, :8], turns_of(SMALL, 8, like=weight), cache)
    cache.place.fill_(8)
    last = model.decode(tokens[:, 8:], turns_of(SMALL, 1, like=weight, start=8), cache)
    whole = model.prefill(tokens, turns_of(SMALL, 9, like=weight), Cache(SMALL, 2, 9, like=weight))
    assert torch.equal(last, whole)


def test_a_step_trains() -> None:
    from isoflop.measure.steps import Trainer

    trainer = Trainer(step(), CPU)
    before = float(trainer.model.loss(trainer.tokens, trainer.turns))
    for _ in range(20):
        trainer.once()
    assert float(trainer.model.loss(trainer.tokens, trainer.turns)) < before - 0.01


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(("form", "pieces"), [("fp32", 1), ("fp32", 2), ("bf16", 2)])
def test_peak_memory_against_the_allocator(form: str, pieces: int, *, recompute: bool) -> None:
    shape = Shape(layers=3, width=192, heads=3, kv_heads=3, head_width=64, inner=512, vocabulary=1000)
    one = measure_memory(step(shape=shape, sequence=128, batch=4, form=form, pieces=pieces, recompute=recompute), CPU)
    made = float(peak(run_of(one.settings), layout_of(one.settings)).allocated.item())
    assert made == pytest.approx(
        one.figures["peak.allocated"], rel=0.09
    )  # median of the grid of `measure --memory`: 2 %


def test_single_operations_have_times_or_reasons() -> None:
    found = [
        kernels.product(64, 64, 64, "fp32", CPU, seconds=0.01),
        kernels.copy(1e6, CPU, seconds=0.01),
        kernels.attention(1, (2, 2, 16), 64, "", CPU, form="fp32"),
        kernels.cached_attention(1, (2, 1, 16), 64, CPU, form="fp32"),
        kernels.elementwise("norm", 32, 64, CPU, form="fp32"),
        kernels.optimizer(1000, "fp32", CPU),
    ]
    for one in found:
        assert one.timing is not None, one
        assert 0 < one.timing.low <= one.timing.seconds <= one.timing.high
    refused = kernels.product(64, 64, 64, "fp32", torch.device("meta"), seconds=0.01)
    assert refused.timing is not None or refused.failed


def test_rows_are_those_that_validation_reads() -> None:
    from isoflop.accuracy import parse_rows, predict
    from isoflop.accuracy.rows import COLUMNS

    one = measure_step(step(form="bf16"), CPU, seconds=0.05, least=2)
    row = training_row(one, machine())
    header, line = ",".join(row), ",".join(f'"{value}"' for value in row.values())
    read = parse_rows(f"{header}\n{line}\n", "rows.csv").rows[0]
    assert not read.fault
    assert one.timing is not None
    assert read.measured.step_time == pytest.approx(one.timing.seconds, rel=1e-4)
    assert read.measured.peak_memory == pytest.approx(one.figures["peak.allocated"], rel=1e-4)
    assert predict(read.settings, ()).status == "ok"
    assert len(COLUMNS & set(row)) > 30


def test_decode_and_prefill_rows() -> None:
    model = weights_for(SMALL, CPU, "fp32")
    serve = Serve(name="small", shape=SMALL, batch=2, context=16, form="fp32")
    decode = serving_row(measure_decode(model, serve, seconds=0.02), machine())
    assert float(decode["tpot_ms"]) > 0
    assert decode["ctx_depth"] == "16"
    prefill = serving_row(measure_prefill(model, serve, seconds=0.02), machine())
    assert float(prefill["prefill_tok_s"]) == pytest.approx(32 / (float(prefill["ttft_ms"]) / 1e3), rel=1e-3)


def test_two_processes_sum() -> None:
    one = measure_collective("gloo", 2, 4096)
    assert one.timing is not None, one.failed
    assert np.isfinite(one.timing.seconds)
