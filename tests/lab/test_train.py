"""Training: it learns, goes on exactly where it stopped, shares trunks exactly, keeps what diverges."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from isoflop.errors import BadInput, MissingData  # noqa: E402
from isoflop.lab import Corpus  # noqa: E402
from isoflop.lab.spec import Optimizer, RunSpec, Schedule, run_spec  # noqa: E402
from isoflop.lab.train import Habits, Trainer, advance, device_of  # noqa: E402
from isoflop.torchmodel import Shape  # noqa: E402

SHAPE = Shape(layers=2, width=16, heads=2, kv_heads=2, head_width=8, inner=40, vocabulary=256)


def spec(corpus: Corpus, **changes: object) -> RunSpec:
    held = {"shape": SHAPE, "data": corpus.fingerprint, "steps": 40, "sequence": 32, "batch": 4, "seed": 1}
    held |= {"schedule": Schedule(warmup=5), "validation": 20}
    return RunSpec(**(held | changes))  # type: ignore[arg-type]


def trained(run: RunSpec, corpus: Corpus) -> list[float]:
    trainer = Trainer(run, corpus)
    return [trainer.step()[0] for _ in range(run.steps)]


def test_a_run_learns_and_starts_from_knowing_nothing(corpus: Corpus) -> None:
    trainer = Trainer(spec(corpus), corpus)
    assert trainer.validate() == pytest.approx(5.545, abs=1e-3)
    losses = [trainer.step()[0] for _ in range(40)]
    assert losses[-1] < 3.5
    assert trainer.validate() < 3.5


@pytest.mark.parametrize("kind", ["cosine", "linear", "wsd"])
def test_a_run_goes_on_bit_for_bit_from_a_checkpoint(corpus: Corpus, tmp_path: Path, kind: str) -> None:
    run = spec(corpus, schedule=Schedule(kind=kind, warmup=5), bits=4)  # type: ignore[arg-type]
    whole = trained(run, corpus)
    first = Trainer(run, corpus)
    for _ in range(17):
        first.step()
    first.save(tmp_path / "checkpoint.safetensors")
    second = Trainer(run, corpus)
    second.load(tmp_path / "checkpoint.safetensors")
    assert [second.step()[0] for _ in range(23)] == whole[17:]


def test_a_branch_of_a_trunk_is_the_run_itself(corpus: Corpus, tmp_path: Path) -> None:
    long, short = spec(corpus, steps=40), spec(corpus, steps=20)
    assert long.trunk == short.trunk
    assert long.hash != short.hash
    leaves = short.schedule.decline_from(20)
    trunk = Trainer(long, corpus)
    for _ in range(leaves):
        trunk.step()
    trunk.save(tmp_path / "trunk.safetensors")
    branch = Trainer(short, corpus)
    branch.load(tmp_path / "trunk.safetensors")
    assert [branch.step()[0] for _ in range(20 - leaves)] == trained(short, corpus)[leaves:]
    with pytest.raises(BadInput, match="another run"):
        Trainer(spec(corpus, seed=2), corpus).load(tmp_path / "trunk.safetensors")


def test_pieces_of_a_batch_add_up_to_it(corpus: Corpus) -> None:
    assert trained(spec(corpus, pieces=2), corpus) == pytest.approx(trained(spec(corpus), corpus), rel=1e-5)


def test_recomputed_activations_change_nothing(corpus: Corpus) -> None:
    assert trained(spec(corpus, recompute=True, steps=10), corpus) == trained(spec(corpus, steps=10), corpus)


def test_bf16_learns_the_same_within_its_precision(corpus: Corpus) -> None:
    mixed = trained(spec(corpus, precision="bf16"), corpus)
    assert mixed == pytest.approx(trained(spec(corpus), corpus), rel=0.03)
    assert mixed != trained(spec(corpus), corpus)


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile needs a C++ compiler")
def test_compiled_layers_train_the_same(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    run = spec(corpus, compiled=True, steps=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of parts of itself that will go
        assert trained(run, corpus) == pytest.approx(trained(replace(run, compiled=False), corpus), rel=1e-5)
    assert any(tmp_path.rglob("*.so"))


def test_without_a_compiler_that_is_said(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(MissingData, match="apt-get install g"):
        Trainer(spec(corpus, compiled=True), corpus)


def test_a_device_that_is_not_there_is_refused(corpus: Corpus) -> None:
    with pytest.raises(BadInput, match="give cpu, cuda"):
        Trainer(spec(corpus), corpus, device="tpu")
    assert device_of("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert device_of("auto").type == "cpu"
        with pytest.raises(BadInput, match="torch sees none"):
            device_of("cuda")


def test_a_run_keeps_the_name_it_had_before_later_fields(corpus: Corpus) -> None:
    run = replace(spec(corpus), data="0" * 64)
    assert run.hash == "86f5186a489e"
    assert replace(run, compiled=True).hash != "86f5186a489e"


def test_divergence_is_seen_and_kept(corpus: Corpus) -> None:
    wild = spec(corpus, optimizer=Optimizer(learning_rate=9.0, clip=1e9), schedule=Schedule(warmup=0), steps=200)
    records: list[dict[str, object]] = []
    assert advance(Trainer(wild, corpus), Habits(), records.append, lambda _: None) == "diverged"
    assert records
    assert records[-1]["losses"]


def test_a_spec_survives_its_file_and_a_changed_file_is_refused(corpus: Corpus) -> None:
    import json

    run = spec(corpus)
    held = json.loads(json.dumps(run.as_json()))
    assert run_spec(held, "spec.json") == run
    with pytest.raises(Exception, match="was changed"):
        run_spec(held | {"steps": 41}, "spec.json")
    with pytest.raises(Exception, match="no field 'stepz'"):
        run_spec(held | {"stepz": 41}, "spec.json")
    assert replace(run, seed=2).hash != run.hash


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch": 5, "pieces": 2}, "do not divide into 2 pieces"),
        ({"steps": 8}, "more than half"),
        ({"precision": "fp8"}, "one of: fp32, bf16"),
        ({"bits": 9}, "2 to 8"),
        ({"steps": 0}, "run.steps = 0"),
    ],
)
def test_what_cannot_be_trained_is_refused(corpus: Corpus, changes: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        spec(corpus, **changes)
